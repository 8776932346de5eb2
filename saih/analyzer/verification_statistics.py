"""Windows of steps to effects: typical steps, a sign-flip test over pairs, intervals of shifts and slopes."""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from saih.domain.interval import Interval

Array = NDArray[np.float64]

LEVEL = 0.95
BLOCK = 4
"""Steps of one block: what threads on shared cores take from steps comes to one of several in turn."""
_FEWEST_BLOCKS = 3
_LARGEST_EXACT = 14
"""Pairs; 2^14 sign patterns are all looked at, of more pairs a sample is drawn."""
_NUM_PATTERNS = 20_000
_SEED = 20


def block_means(steps_ns: Sequence[float] | Array) -> Array:
    """Means of consecutive steps, ``BLOCK`` each; a last part of a block is left out.

    Fewer steps than three blocks make one block of all.

    Raises:
        ValueError: for no steps, or one that is not a positive finite duration.
    """
    steps = np.asarray(steps_ns, dtype=np.float64)
    if not steps.size or not np.isfinite(steps).all() or (steps <= 0).any():
        raise ValueError("a window needs steps of positive finite durations")
    count = len(steps) // BLOCK
    if count < _FEWEST_BLOCKS:
        return np.asarray(steps.mean(keepdims=True))
    return np.asarray(steps[: count * BLOCK].reshape(count, BLOCK).mean(axis=1))


def typical_ns(steps_ns: Sequence[float] | Array) -> float:
    """The median of the block means [ns]: what comes now and then counts, outliers do not."""
    return float(np.median(block_means(steps_ns)))


def sign_flip_p(differences: Sequence[float] | Array) -> float:
    """Two-sided p-value of the sum of differences under random signs: the pairs might be the other way round.

    Exact up to 14 pairs, beyond that from a sample of sign patterns with a fixed seed in which the observed
    one counts (Pitman, 1937; Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010, 39).

    Raises:
        ValueError: for fewer than two differences, or one that is not finite.
    """
    values = _checked(differences)
    count = len(values)
    observed = abs(float(values.sum()))
    # Sums of the same numbers in another order differ in their last digits.
    slack = 1e-9 * float(np.abs(values).sum())
    if count <= _LARGEST_EXACT:
        sums = _signs(count) @ values
        return float(np.mean(np.abs(sums) >= observed - slack))
    generator = np.random.default_rng(_SEED)
    signs = generator.choice((-1.0, 1.0), size=(_NUM_PATTERNS, count))
    extreme = int(np.count_nonzero(np.abs(signs @ values) >= observed - slack))
    return (extreme + 1) / (_NUM_PATTERNS + 1)


def shift_interval(differences: Sequence[float] | Array, level: float = LEVEL) -> Interval:
    """The Hodges-Lehmann shift of paired differences, with the interval from ordered Walsh averages.

    Distribution-free for symmetric differences (Hollander & Wolfe, Nonparametric Statistical Methods, 1973,
    3.2 and 3.3). Too few pairs for ``level`` give the range of all averages at the level that it has.

    Raises:
        ValueError: for fewer than two differences, or one that is not finite.
    """
    values = _checked(differences)
    count = len(values)
    rows, columns = np.triu_indices(count)
    averages = np.sort((values[rows] + values[columns]) / 2)
    cut, reached = _walsh_cut(count, level)
    return Interval(
        low=float(averages[cut]),
        value=float(np.median(averages)),
        high=float(averages[-1 - cut]),
        level=reached,
        count=count,
    )


def slope_interval(measured: Sequence[float], predicted: Sequence[float], level: float = LEVEL) -> Interval:
    """The slope of measured over predicted effects through the origin, with Student's t interval.

    Raises:
        ValueError: for fewer than three effects, one that is not finite, or predictions that are all 0.
    """
    y, x = _checked(measured), _checked(predicted)
    power = float(x @ x)
    if len(y) != len(x) or len(y) < 3 or power <= 0:
        raise ValueError(f"a slope needs three or more effects with predictions, got {len(y)} and {len(x)}")
    slope = float(x @ y) / power
    rest = y - slope * x
    error = math.sqrt(float(rest @ rest) / (len(y) - 1) / power)
    half = float(special.stdtrit(len(y) - 1, (1 + level) / 2)) * error
    return Interval(low=slope - half, value=slope, high=slope + half, level=level, count=len(y))


def ratio_interval(measured: Interval, predicted: Interval) -> Interval:
    """Measured over predicted effect, where the measured one may be 0 and the predicted one is not.

    First-order errors of both in quadrature, on each side; a prediction whose interval holds 0 adds as much
    as its half-width does.

    Raises:
        ValueError: for a prediction of 0.
    """
    if predicted.value == 0:
        raise ValueError("no effect is predicted: nothing can be held against it")
    sign = math.copysign(1.0, predicted.value)
    low, high = sorted((sign * measured.low, sign * measured.high))
    middle, base = sign * measured.value, abs(predicted.value)
    spread = (predicted.high - predicted.low) / 2 / base
    value = middle / base
    return Interval(
        low=value - math.hypot((middle - low) / base, value * spread),
        value=value,
        high=value + math.hypot((high - middle) / base, value * spread),
        level=measured.level,
        count=measured.count,
    )


def _checked(values: Sequence[float] | Array) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) < 2 or not np.isfinite(found).all():
        raise ValueError(f"two or more finite numbers are needed, got {len(found)} of which some may be none")
    return found


@lru_cache(maxsize=16)
def _signs(count: int) -> Array:
    """All sign patterns, a row each."""
    bits = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    return np.asarray(1.0 - 2.0 * bits)


@lru_cache(maxsize=64)
def _walsh_cut(count: int, level: float) -> tuple[int, float]:
    """How many Walsh averages are cut at either end, and the level that is left."""
    # Number of subsets of 1..n with each sum: the null distribution of the signed-rank statistic.
    ways = np.zeros(count * (count + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, count + 1):
        ways[rank:] = ways[rank:] + ways[:-rank]
    tail = np.cumsum(ways / 2.0**count)
    within = int(np.count_nonzero(2 * tail <= 1 - level))
    if not within:
        return 0, 1 - 2 * float(tail[0])
    return within - 1, level
