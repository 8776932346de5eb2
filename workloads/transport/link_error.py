"""The other end is gone."""


class LinkError(RuntimeError):
    """Another program cannot be reached any more: this one cannot go on. The message names the other."""
