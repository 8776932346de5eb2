"""One universe over several ranks: each holds a slab of it, and all have the bits of one rank."""
