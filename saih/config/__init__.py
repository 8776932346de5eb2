"""A sweep file in YAML -> a ``Sweep``: one schema, strict typing, every mistake of a file at once."""
