"""How much better one predictor is than another on the same universes, and how sure that is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NUM_RESAMPLES = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Of mean errors."""

    ratio: float
    """Of the mean over seeds."""
    by_seed: tuple[float, ...]
    interval: tuple[float, float]
    """95 %, by a bootstrap over universes, which are paired, and over seeds (few seeds tell little)."""


def ratio_of_means(errors_SU: NDArray[np.float64], reference_U: NDArray[np.float64]) -> Ratio:
    """Mean of errors [seed, universe] over that of a reference [universe] on the same universes."""
    chance = np.random.default_rng(0)
    num_seeds, num_universes = errors_SU.shape
    found = np.empty(_NUM_RESAMPLES)
    for place in range(_NUM_RESAMPLES):
        seeds = chance.integers(num_seeds, size=num_seeds)
        weights_U = np.bincount(chance.integers(num_universes, size=num_universes), minlength=num_universes)
        found[place] = (errors_SU[seeds].mean(axis=0) @ weights_U) / (reference_U @ weights_U)
    low, high = np.quantile(found, (0.025, 0.975))
    by_seed = errors_SU.mean(axis=1) / reference_U.mean()
    return Ratio(
        ratio=float(by_seed.mean()),
        by_seed=tuple(float(ratio) for ratio in by_seed),
        interval=(float(low), float(high)),
    )
