"""Whether the machine changed while a sweep was measured: residuals against the order of measuring."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEWEST_POINTS = 6
LEVEL = 0.01
"""Share of undisturbed sweeps that are called drifted."""
_NUM_PERMUTATIONS = 1999
_SEED = 20_26
_ALIKE = 0.9
"""Beyond this rank correlation the order of measuring is that of the sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How residuals move with the order of measuring."""

    p_value: float
    change: float
    """Of log(value) from the first measured point to the last, by a straight line."""
    is_told_apart: bool
    """False where larger points were measured later, so that drift looks like growth."""


def find_drift(residuals: Sequence[float], sizes: Sequence[float], moments: Sequence[str]) -> Drift | None:
    """A permutation test of the correlation between residuals log(measured/fitted) and time order.

    ``moments`` sort as text (ISO 8601). None for fewer than ``FEWEST_POINTS`` points or unknown or equal
    moments. What sizes explain of the order is taken out of both first, since the fit took it out of the
    residuals (Freedman & Lane, J. Bus. Econ. Stat. 1, 1983, 292).
    """
    if len(residuals) < FEWEST_POINTS or not all(moments) or len(set(moments)) < len(moments):
        return None
    order = np.argsort(np.argsort(np.array(moments))).astype(np.float64)
    place = np.argsort(np.argsort(np.asarray(sizes, dtype=np.float64), kind="stable")).astype(np.float64)
    is_told_apart = abs(float(np.corrcoef(order, place)[0, 1])) < _ALIKE
    basis = np.linalg.qr(np.stack([np.ones_like(place), place, place**2], axis=1))[0]
    values = _without(np.asarray(residuals, dtype=np.float64), basis)
    moved = _without(order, basis)
    length = float(moved @ moved)
    if length <= 1e-9 * len(order) or not values.any():
        return Drift(p_value=1.0, change=0.0, is_told_apart=False)
    found = abs(float(values @ moved))
    shuffled = np.abs(values[_permutations(len(values))] @ moved)
    p_value = (1 + int(np.sum(shuffled >= found * (1 - 1e-12)))) / (1 + len(shuffled))
    slope = float(values @ moved) / length
    return Drift(p_value=p_value, change=slope * (len(order) - 1), is_told_apart=is_told_apart)


def _without(values: Array, basis: Array) -> Array:
    """What a parabola over the places does not explain."""
    return np.asarray(values - basis @ (basis.T @ values))


@lru_cache(maxsize=64)
def _permutations(count: int) -> NDArray[np.int64]:
    generator = np.random.default_rng(_SEED)
    return np.argsort(generator.random((_NUM_PERMUTATIONS, count)), axis=1)
