"""Forms of the network's operations that are faster than torch's own; they give the same numbers."""
