"""Job templates, read through importlib.resources; no code lives here."""
