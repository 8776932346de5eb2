"""Stored one-point laws, as ``python -m benchmarks.generation_augment_voxels`` prints them."""

from dataclasses import dataclass

from cosmology.redshifts import REDSHIFTS


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLaw:
    """Means and scatters over universes of the shares of voxels with at most 0, 1, 2, 4, 8, 16 particles."""

    side: int
    base_box_mpc_per_h: float
    redshifts: tuple[float, ...]
    num_universes: int
    means: tuple[tuple[float, ...], ...]
    """[redshift, most particles]."""
    scatters: tuple[tuple[float, ...], ...]


STORED = (
    StoredLaw(
        side=64,
        base_box_mpc_per_h=288.0,
        redshifts=REDSHIFTS,
        num_universes=32,
        means=(
            (0.502937, 0.819381, 0.912101, 0.964861, 0.988434, 0.996886),
            (0.436489, 0.806971, 0.915544, 0.971340, 0.992619, 0.998605),
            (0.324289, 0.802474, 0.934643, 0.986477, 0.998425, 0.999912),
            (0.223942, 0.829095, 0.963476, 0.996871, 0.999965, 1.000000),
        ),
        scatters=(
            (0.015812, 0.004198, 0.001229, 0.001217, 0.000966, 0.000483),
            (0.015916, 0.003050, 0.001892, 0.001878, 0.001016, 0.000353),
            (0.015060, 0.002299, 0.003747, 0.002031, 0.000506, 0.000048),
            (0.013881, 0.006780, 0.004104, 0.000749, 0.000028, 0.000001),
        ),
    ),
)
"""Of universes 0 to 31 of seed 0."""
