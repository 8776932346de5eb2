"""An HTTP front of an engine: JSON in, JSON or a stream of events out."""
