"""Cosmological parameters of one universe, drawn as in the CosmoFlow data set."""

from collections.abc import Mapping
from dataclasses import dataclass

from cosmology.dataset_error import DatasetError
from cosmology.definition_check import MAX_UNIVERSES
from cosmology.sobol import sobol_point
from cosmology.splitmix import hash_of

CENTRES = (0.30, 0.80, 0.96, 70.0)
"""Centre of each target: matter density, sigma8, spectral index, H0 [km/s/Mpc]."""
RELATIVE_WIDTH = 0.1
BARYON_DENSITY = 0.045
REFERENCE_HUBBLE_KM_PER_S_PER_MPC = 70.0

_STREAM = 0x70_61_72_61_6D  # keeps these draws apart from those of the initial modes

_PHYSICAL: Mapping[str, tuple[float, float, str]] = {
    "matter_density": (0.05, 1.0, ""),
    "sigma8": (0.1, 3.0, ""),
    "spectral_index": (0.2, 2.0, ""),
    "hubble_km_per_s_per_mpc": (20.0, 200.0, " km/s/Mpc"),
    "baryon_density": (0.001, 1.0, ""),
}
"""Where a flat universe of matter and a cosmological constant, and the fits of its power, make sense."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """A flat LCDM cosmology without radiation or neutrinos.

    Raises:
        DatasetError: for a value that no universe of this kind has.
    """

    matter_density: float = CENTRES[0]
    """Omega_m today."""
    sigma8: float = CENTRES[1]
    """Linear rms of the overdensity in spheres of 8 Mpc/h, at redshift 0."""
    spectral_index: float = CENTRES[2]
    hubble_km_per_s_per_mpc: float = CENTRES[3]
    baryon_density: float = BARYON_DENSITY
    """Omega_b today."""

    def __post_init__(self) -> None:
        for name, (least, most, unit) in _PHYSICAL.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise DatasetError(f"{name} is {value!r}; give {least:g} to {most:g}{unit}.")
        if self.baryon_density >= self.matter_density:
            raise DatasetError(
                f"baryon_density {self.baryon_density:g} is no part of matter_density "
                f"{self.matter_density:g}; give less."
            )

    @property
    def little_h(self) -> float:
        """H0 in units of 100 km/s/Mpc."""
        return self.hubble_km_per_s_per_mpc / 100

    @property
    def physical(self) -> tuple[float, float, float, float]:
        """Matter density, sigma8, spectral index, H0 [km/s/Mpc]: the order of the targets."""
        return (self.matter_density, self.sigma8, self.spectral_index, self.hubble_km_per_s_per_mpc)


def draw_targets(seed: int, universe: int) -> tuple[float, float, float, float]:
    """Four numbers u, uniform in [-1, 1): the targets of a universe, a pure function of its name.

    They are the points of a Sobol sequence: any number of universes covers the ranges evenly. Each split of
    universes has the sequence under a digital shift of its own, so that no two share a cosmology.
    """
    split, index = divmod(universe, MAX_UNIVERSES)
    first, second, third, fourth = (
        _target(coordinate ^ hash_of(seed, _STREAM, split, axis))
        for axis, coordinate in enumerate(sobol_point(index))
    )
    return (first, second, third, fourth)


def universe_seed(seed: int, universe: int) -> int:
    """Seed of the initial waves of a universe."""
    return hash_of(seed, universe)


def _target(coordinate: int) -> float:
    """A coordinate in units of 2^-64 as a float64 in [-1, 1)."""
    return (coordinate >> 11) * 2.0**-52 - 1


def parameters_of(targets: tuple[float, float, float, float]) -> Parameters:
    """The cosmology ``centre * (1 + 0.1 u)`` of targets u."""
    matter_density, sigma8, spectral_index, hubble = (
        centre * (1 + RELATIVE_WIDTH * u) for centre, u in zip(CENTRES, targets, strict=True)
    )
    return Parameters(
        matter_density=matter_density,
        sigma8=sigma8,
        spectral_index=spectral_index,
        hubble_km_per_s_per_mpc=hubble,
    )


def box_mpc_per_h(base_box_mpc_per_h: float, parameters: Parameters) -> float:
    """Comoving box [Mpc/h] that is the same in Mpc for every H0: through it the counts know H0."""
    return base_box_mpc_per_h * parameters.hubble_km_per_s_per_mpc / REFERENCE_HUBBLE_KM_PER_S_PER_MPC
