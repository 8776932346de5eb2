"""Does every operation of growing keep counts, labels and spectra: counted over all samples of a universe."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from cosmology.crops import coarse_grained, samples, turned
from cosmology.definition import NUM_SYMMETRIES, DatasetDefinition, Reuse
from cosmology.power_spectrum import Window, measure_power
from cosmology.universe import make_universe

Counts = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowthLaws:
    """What was found, by law: how often it was broken."""

    side: int
    num_channels: int
    num_samples: int
    faults: Mapping[str, int]
    largest_power_change: float
    """Relative."""


def growth_laws(side: int) -> GrowthLaws:
    """Check every view of one universe, as crops and as the whole box."""
    crops = DatasetDefinition(
        seed=3,
        num_samples=8 * NUM_SYMMETRIES,
        num_universes=1,
        resolution=side // 2,
        simulation_side=side,
        reuse=Reuse.CUBE_SYMMETRIES,
    )
    boxes = replace(crops, num_samples=192, resolution=side, reuse=Reuse.SYMMETRIES_AND_ROLLS)
    universe = make_universe(crops.universes, 0)
    cut, whole = list(samples(crops, 0, universe.counts)), list(samples(boxes, 0, universe.counts))
    box, first = universe.box_mpc_per_h, whole[0]
    return GrowthLaws(
        side=side,
        num_channels=crops.num_channels,
        num_samples=len(cut) + len(whole),
        faults={
            "particles lost or made by cutting a universe into crops": _lost_by_cutting(cut, first),
            "samples of whole boxes that do not hold every particle": sum(
                int(_sum(one) != _sum(first)) for one in whole
            ),
            "crops that come again before all came once": _early_repeats(cut, crops.crops_per_universe),
            "samples that are another sample over again": _repeats(cut) + _repeats(whole),
            "coarse voxels that are not the sum of their 2^3": _wrong_sums(crops, universe.counts, cut)
            + _wrong_sums(boxes, universe.counts, whole),
            "symmetries that coarse-graining does not commute with": _turned_otherwise(first),
            "simulations that coarser samples would need anew": int(
                crops.coarsened(2).universes != crops.universes
            ),
        },
        largest_power_change=max(_power_change(one, first, box) for one in whole[:: len(whole) // 12]),
    )


def _sum(cube: Counts) -> tuple[int, ...]:
    return tuple(cube.sum(axis=(1, 2, 3), dtype=np.int64).tolist())


def _lost_by_cutting(cut: list[Counts], whole: Counts) -> int:
    together = np.sum([_sum(one) for one in cut[:8]], axis=0)
    return int(np.abs(together - np.array(_sum(whole))).sum())


def _early_repeats(cut: list[Counts], num_crops: int) -> int:
    """Samples of each turn that are no view of the crop whose turn it is."""
    contents = [tuple(np.bincount(one.reshape(-1)).tolist()) for one in cut]
    return sum(content != contents[place % num_crops] for place, content in enumerate(contents))


def _repeats(cubes: list[Counts]) -> int:
    return len(cubes) - len({cube.tobytes() for cube in cubes})


def _wrong_sums(definition: DatasetDefinition, counts: Counts, fine: list[Counts]) -> int:
    coarse = samples(definition.coarsened(2), 0, counts)
    return sum(
        int((one != coarse_grained(np.ascontiguousarray(other), 2)).sum())
        for one, other in zip(coarse, fine, strict=True)
    )


def _turned_otherwise(cube: Counts) -> int:
    return sum(
        not np.array_equal(
            turned(coarse_grained(cube, 2), symmetry),
            coarse_grained(np.ascontiguousarray(turned(cube, symmetry)), 2),
        )
        for symmetry in range(NUM_SYMMETRIES)
    )


def _power_change(one: Counts, other: Counts, box_mpc_per_h: float) -> float:
    powers = [
        measure_power(
            torch.from_numpy(np.ascontiguousarray(cube[0]).astype(np.float64)),
            box_mpc_per_h,
            Window.NEAREST_GRID_POINT,
        ).power
        for cube in (one, other)
    ]
    return float(np.abs(powers[0] / powers[1] - 1).max())
