"""How evenly the parameters of universes cover their ranges, beside independent draws of as many."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import kstest

from cosmology.definition import Split
from cosmology.parameters import draw_targets

_NAMES = ("Omega_m", "sigma_8", "n_s", "H_0")


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisLaw:
    """One parameter's distance from a uniform law."""

    name: str
    distance: float
    distance_of_draws: float
    """Of independent draws of as many."""
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLaws:
    """Of the parameters of so many universes."""

    num_universes: int
    axes: tuple[AxisLaw, ...]
    largest_correlation: float
    of_draws: float
    num_shared: int
    """Cosmologies that are in both splits."""


def target_laws(num_universes: int) -> TargetLaws:
    """Kolmogorov-Smirnov of each parameter, correlations of each two, and what splits share."""
    drawn, validation = (
        np.array([draw_targets(0, split.first_universe + place) for place in range(num_universes)])
        for split in (Split.TRAIN, Split.VALIDATION)
    )
    independent = np.random.default_rng(0).uniform(-1, 1, drawn.shape)
    axes = []
    for axis, name in enumerate(_NAMES):
        found, other = (kstest(values[:, axis], "uniform", args=(-1, 2)) for values in (drawn, independent))
        axes.append(
            AxisLaw(
                name=name,
                distance=float(found.statistic),
                distance_of_draws=float(other.statistic),
                p_value=float(found.pvalue),
            )
        )
    return TargetLaws(
        num_universes=num_universes,
        axes=tuple(axes),
        largest_correlation=_largest_correlation(drawn),
        of_draws=_largest_correlation(independent),
        num_shared=len({tuple(one) for one in drawn.tolist()} & {tuple(one) for one in validation.tolist()}),
    )


def _largest_correlation(drawn: np.ndarray) -> float:
    return float(np.abs(np.corrcoef(drawn.T) - np.eye(drawn.shape[1])).max())
