"""How much of the gradient exchange the backward pass hides, as measured, and what that means elsewhere."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OVERLAP_POWER = 8.0
"""Exponent of smooth maxima, unless measured steps say otherwise."""
POWERS = (4.0, 6.0, 8.0, 12.0, 16.0)
_WINDOWS = np.linspace(0.0, 1.0, 41)
_TAILS = np.concatenate([[0.0], np.geomspace(0.005, 1.0, 25)])
_MOST_CASES = 64
"""Every n-th case stands for its neighbours where more fit."""
_LEAST_WEIGHT = 1e-2
"""Of the weightiest case; less says nothing."""
_SMALLEST = 0.002
"""Of a step; exposed times are not known better than this."""
_BOUND_SHARE = 0.2
"""A window was seen to bind where the cases that hold agree on it within this much of the backward pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """``exposed = max(max(total - window x backward, 0), tail x total)`` for several cases ``[case]``.

    The last pieces of a gradient are ready only when the backward pass ends, so that a part of the exchange
    (``tails``) is never hidden; the rest is, while the backward pass lasts (``windows``, shares of it). Where
    nothing was exposed, any window above the hidden time fits, and all of them stay.
    """

    windows: Array
    tails: Array
    weights: Array

    @property
    def is_bound(self) -> bool:
        """Whether the measured points tell how long the window is."""
        spread = self.windows[self.weights > 0.1 * self.weights.max()]
        return bool(spread.max() - spread.min() <= _BOUND_SHARE)

    @property
    def window(self) -> float:
        """Mean share of the backward pass that hides exchanges."""
        return float(self.weights @ self.windows)

    def exposed(self, total: Array, backward: Array) -> Array:
        """Exposed exchange of each case at each point ``[case, point]``."""
        return exposed(self.windows, self.tails, total, backward)


def exposed(windows: Array, tails: Array, total: Array, backward: Array) -> Array:
    """The rule with smooth maxima, ``[case, point]``."""
    hidden = windows[:, None] * backward
    rest = np.maximum(smooth_maximum(total + 0 * hidden, hidden) - hidden, 0.0)
    return smooth_maximum(rest, tails[:, None] * total)


def fit_overlap(total: Array, backward: Array, measured: Array, step: Array, noise: float) -> Overlap | None:
    """The windows and tails that reproduce the measured exposed times at these points.

    Each pair of a grid has the weight of its likelihood under errors of ``noise`` of both phases, widened
    where even the best pair misses more. None where no pair comes within a tenth of the step everywhere, or
    nothing is hidden anywhere.
    """
    if np.all(measured >= 0.9 * total):
        return None
    windows, tails = _cases()
    found = exposed(windows, tails, total, backward)
    gaps = found - measured
    variance = noise**2 * (total**2 + (windows[:, None] * backward) ** 2) + (_SMALLEST * step) ** 2
    misses = (gaps**2 / variance).sum(axis=1)
    best = int(np.argmin(misses))
    if np.any(np.abs(gaps[best]) > 0.1 * step):
        return None
    widening = max(float(misses[best]) / max(len(total) - 2, 1), 1.0)
    weights = np.exp(-(misses - misses[best]) / (2 * widening))
    kept = np.flatnonzero(weights >= _LEAST_WEIGHT)
    kept = kept[:: -(-len(kept) // _MOST_CASES)]
    return Overlap(windows=windows[kept], tails=tails[kept], weights=weights[kept] / weights[kept].sum())


def smooth_maximum(one: Array, other: Array, power: float = OVERLAP_POWER) -> Array:
    """``(one^p + other^p)^(1/p)`` of numbers that are not negative: a maximum whose turn is not sharp."""
    longer = np.maximum(np.maximum(one, other), 1e-300)
    ratio = np.minimum(one, other) / longer
    if power == OVERLAP_POWER:  # many times faster than a general power
        eighth = np.square(np.square(np.square(ratio)))
        return np.asarray(longer * np.sqrt(np.sqrt(np.sqrt(1 + eighth))), dtype=np.float64)
    return np.asarray(longer * (1 + ratio**power) ** (1 / power), dtype=np.float64)


def fit_power(work: Array, produce: Array, step: Array) -> float:
    """The exponent of the smooth maximum under which steps follow work and production most evenly.

    Steps differ from the maximum by a common factor and noise of 1 %; without points near the turn all
    exponents do equally well and ``OVERLAP_POWER`` is kept.
    """
    scores = []
    for power in POWERS:
        gaps = np.log(step / smooth_maximum(work, produce, power))
        variance = max(float(gaps.var()), 0.01**2)
        scores.append(len(step) * np.log(variance) + np.log2(power / OVERLAP_POWER) ** 2)
    return POWERS[int(np.argmin(scores))]


@lru_cache(maxsize=1)
def _cases() -> tuple[Array, Array]:
    windows, tails = np.meshgrid(_WINDOWS, _TAILS, indexing="ij")
    return windows.ravel(), tails.ravel()
