"""The one-point law of fresh universes against the stored one, and how the stored one was made.

``python -m benchmarks.generation_augment_voxels`` prints what ``cosmology/one_point_law.py`` stores.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosmology.definition import Split, UniverseDefinition
from cosmology.one_point import MOST_COUNTS, OnePoint, one_point, shares_of, stored_law
from cosmology.universe import make_universe

_SEED, _SEED_OF_STORED = 11, 0
_SIDE = 64
_NUM_STORED = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VoxelLaw:
    """What fresh universes show."""

    side: int
    voxel_mpc_per_h: float
    num_universes: int
    most_counts: tuple[int, ...]
    channels: tuple[OnePoint, ...]


def voxel_law(num_universes: int) -> VoxelLaw:
    """Shares of voxels of validation universes of another seed than that of the stored law.

    Raises:
        LookupError: when no law is stored for them.
    """
    definition = UniverseDefinition(seed=_SEED, side=_SIDE)
    law = stored_law(definition)
    if law is None:
        raise LookupError(f"no one-point law is stored for universes of {_SIDE}^3.")
    made = list(_histograms(definition, num_universes, Split.VALIDATION.first_universe))
    totals = [sum(channels) for channels in zip(*made, strict=True)]
    return VoxelLaw(
        side=_SIDE,
        voxel_mpc_per_h=definition.base_box_mpc_per_h / _SIDE,
        num_universes=num_universes,
        most_counts=MOST_COUNTS,
        channels=tuple(one_point([np.asarray(total) for total in totals], law, num_universes)),
    )


def _histograms(
    definition: UniverseDefinition, num_universes: int, first: int
) -> Iterator[list[NDArray[np.int64]]]:
    for number in range(first, first + num_universes):
        counts = make_universe(definition, number).counts
        longest = 2**16
        yield [np.bincount(channel.reshape(-1), minlength=longest) for channel in counts]


def _print_law() -> None:
    definition = UniverseDefinition(seed=_SEED_OF_STORED, side=_SIDE)
    shares = np.array(
        [[shares_of(channel) for channel in made] for made in _histograms(definition, _NUM_STORED, 0)]
    )
    for name, values in (("means", shares.mean(axis=0)), ("scatters", shares.std(axis=0, ddof=1))):
        print(f"{name}=(")
        for channel in values:
            print(f"    ({', '.join(f'{share:.6f}' for share in channel)}),")
        print("),")


if __name__ == "__main__":
    _print_law()
