"""Which plan: subsets of devices, rings, shares and tiles, searched by what is foreseen of them."""
