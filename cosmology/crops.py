"""Which samples a universe gives: crops in grid order, then the same crops turned."""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cosmology.definition import NUM_SYMMETRIES, DatasetDefinition
from cosmology.splitmix import hash_of

_SYMMETRY_STREAM = 0x63_75_62_65


def samples(
    definition: DatasetDefinition, universe: int, counts: NDArray[np.uint16]
) -> Iterator[NDArray[np.uint16]]:
    """The samples [channel, x, y, z] of a universe: crops in grid order, then crops turned."""
    per_axis = definition.simulation_side // definition.resolution
    corners = list(
        itertools.product(range(0, per_axis * definition.resolution, definition.resolution), repeat=3)
    )
    for row in range(definition.samples_of(universe)):
        turn, crop = divmod(row, len(corners))
        window = tuple(slice(start, start + definition.resolution) for start in corners[crop])
        yield turned(
            counts[(slice(definition.num_channels), *window)], _symmetry(definition, universe, crop, turn)
        )


def turned(cube: NDArray[np.uint16], symmetry: int) -> NDArray[np.uint16]:
    """A cube [channel, x, y, z] under one of the 48 symmetries; 0 leaves it."""
    order, mirrors = divmod(symmetry, 8)
    axes = tuple(itertools.permutations((1, 2, 3)))[order]
    mirrored = tuple(axis for axis in (1, 2, 3) if mirrors >> (axis - 1) & 1)
    return np.flip(cube.transpose(0, *axes), mirrored)


def _symmetry(definition: DatasetDefinition, universe: int, crop: int, turn: int) -> int:
    """The symmetry of a crop's appearance ``turn``: 0 first, then the others in an order of its own."""
    if turn == 0:
        return 0
    others = range(1, NUM_SYMMETRIES)
    return sorted(
        others, key=lambda symmetry: hash_of(definition.seed, _SYMMETRY_STREAM, universe, crop, symmetry)
    )[turn - 1]
