"""The CosmoFlow network on samples that ranks share: each holds a slab of planes along x."""
