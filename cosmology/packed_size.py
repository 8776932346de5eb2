"""How much room counts take once they are packed: an upper bound, from what universes were measured to take.

Both codecs took 2.6 to 3.0 bits a voxel of one particle on average at redshifts 3 to 0, and at most
5.8, 8.7 and 12.2 bits of voxels 2, 4 and 8 times as wide (a universe of 256^3 in 288 Mpc/h).
"""

import math

_BITS_PER_VOXEL = 4.0
_BITS_PER_DOUBLING = 3.0
_UNPACKED_BITS = 16.0


def packed_bytes(num_voxels: int, coarsening: int = 1) -> int:
    """Upper bound for voxels that are ``coarsening`` simulated ones wide."""
    bits = min(_UNPACKED_BITS, _BITS_PER_VOXEL + _BITS_PER_DOUBLING * math.log2(coarsening))
    return math.ceil(num_voxels * bits / 8)
