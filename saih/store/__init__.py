"""The layout of results/: atomic writes, strict reads, checksums. Nothing else touches it."""
