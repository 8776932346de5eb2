"""One universe over several ranks: each holds a slab of the mesh and of the lattice, bit for bit as one rank does."""
