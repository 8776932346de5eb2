"""Programs that build and set up; run them from this folder's parent: ``python -m tools.NAME``."""
