"""Which samples a universe gives: separate crops in grid order, then the same crops seen otherwise.

Everything here keeps counts whole and labels exact: cutting, summing blocks of voxels, the 48 symmetries of
the cube, and shifts around the periodic edges of a whole box. Nothing interpolates.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosmology.definition import NUM_SYMMETRIES, DatasetDefinition, DatasetError
from cosmology.splitmix import shuffled

_VIEW_STREAM = 0x63_75_62_65
_MAX_COUNT = np.iinfo(np.uint16).max
_SPATIAL = (1, 2, 3)

Counts = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How a crop is looked at."""

    symmetry: int = 0
    """0 to 47; 0 leaves it."""
    shift: tuple[int, int, int] = (0, 0, 0)
    """Simulated voxels by which a whole box is rolled along each axis."""


def samples(definition: DatasetDefinition, universe: int, counts: Counts) -> Iterator[Counts]:
    """The samples [channel, x, y, z] of a universe, of whose counts [redshift, x, y, z] they are views.

    Raises:
        DatasetError: when a voxel of a sum holds more particles than 16 bits can say, or the universe is not
            of this data set.
    """
    for row in range(definition.samples_of(universe)):
        yield sample(definition, universe, row, counts)


def sample(definition: DatasetDefinition, universe: int, row: int, counts: Counts) -> Counts:
    """Sample ``row`` of a universe: all crops once before any is seen again."""
    turn, crop = divmod(row, definition.crops_per_universe)
    side = definition.resolution * definition.coarsening
    per_axis = definition.simulation_side // side
    corner = (crop // per_axis**2, crop // per_axis % per_axis, crop % per_axis)
    window = tuple(slice(start * side, (start + 1) * side) for start in corner)
    cube = counts[(slice(definition.num_channels), *window)]
    view = view_of(definition, universe, crop, turn)
    return turned(coarse_grained(rolled(cube, view.shift), definition.coarsening), view.symmetry)


def view_of(definition: DatasetDefinition, universe: int, crop: int, turn: int) -> View:
    """How a crop looks when it appears for the ``turn``-th time: as it is, then all others in a shuffle."""
    if turn == 0:
        return View()
    place = 1 + shuffled(
        turn - 1, definition.views_per_crop - 1, definition.seed, _VIEW_STREAM, universe, crop
    )
    shift, symmetry = divmod(place, NUM_SYMMETRIES)
    side = definition.simulation_side
    return View(symmetry=symmetry, shift=(shift // side**2, shift // side % side, shift % side))


def turned(cube: Counts, symmetry: int) -> Counts:
    """A cube [channel, x, y, z] under one of the 48 symmetries; 0 leaves it."""
    order, mirrors = divmod(symmetry, 8)
    axes = tuple(itertools.permutations(_SPATIAL))[order]
    mirrored = tuple(axis for axis in _SPATIAL if mirrors >> (axis - 1) & 1)
    return np.flip(cube.transpose(0, *axes), mirrored)


def rolled(cube: Counts, shift: tuple[int, int, int]) -> Counts:
    """A periodic cube [channel, x, y, z] shifted around its edges."""
    return np.roll(cube, shift, _SPATIAL) if any(shift) else cube


def coarse_grained(cube: Counts, factor: int) -> Counts:
    """Sums of ``factor`` voxels per axis of a cube [channel, x, y, z]: no particle is lost or split.

    Raises:
        DatasetError: when a sum holds more particles than 16 bits can say.
    """
    if factor == 1:
        return cube
    channels, side = cube.shape[0], cube.shape[1] // factor
    blocks = cube.reshape(channels, side, factor, side, factor, side, factor)
    sums = blocks.sum(axis=(2, 4, 6), dtype=np.uint64)
    most = int(sums.max())
    if most > _MAX_COUNT:
        raise DatasetError(f"a voxel holds {most} particles, above {_MAX_COUNT}; use a smaller coarsening.")
    return sums.astype(np.uint16)
