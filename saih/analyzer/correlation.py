"""Serial correlation of steps: how many independent steps a series is worth, and the median it supports.

Steps of one run are not independent: clock frequency, neighbours and caches drift over many steps. An
interval that ignores this is too narrow by the square root of the correlation time.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from saih.domain.interval import FEWEST_ENCLOSING, Interval, median

Array = NDArray[np.float64]

_FEWEST_DEVIATIONS = 1.3
"""Standard errors below which a correlation of neighbouring steps counts as none."""


def correlation_time(values: Sequence[float] | Array) -> float:
    """Integrated autocorrelation time of the series in steps; 1 for independent steps, at most n / 3.

    Normal scores make it blind to outliers. Two estimates, the larger counts: an AR(1) with Kendall's
    correction of the small-sample bias, rho = (n r + 1) / (n - 4) (Kendall, Biometrika 41, 1954, 403), and
    the initial positive sequence (Geyer, Statistical Science 7, 1992, 473) for slower drifts. A correlation
    below 1.3 standard errors, 1 / sqrt(n) each, counts as none.
    """
    series = np.asarray(values, dtype=np.float64)
    count = len(series)
    if count < 6:
        return 1.0
    order = np.argsort(series, kind="stable")
    if series[order[0]] == series[order[-1]]:
        return 1.0
    scores = _normal_scores(series, order)
    power = float(scores @ scores)
    first = (count * float(scores[1:] @ scores[:-1]) / power + 1) / (count - 4)
    return _time(scores, first, power)


def _time(scores: Array, first: float, power: float) -> float:
    """The correlation time of normal scores whose neighbours correlate by ``first``, scores^2 = ``power``."""
    count = len(scores)
    if first < _FEWEST_DEVIATIONS / math.sqrt(count):
        return 1.0
    first = min(first, 0.98)
    lags = (np.correlate(scores, scores, "full")[count : count + count // 2 - 1] / power).tolist()
    return float(min(max((1 + first) / (1 - first), _initial_positive(lags), 1.0), count / 3))


def _normal_scores(series: Array, order: NDArray[np.int64]) -> Array:
    """Normal scores of the ranks of the values, ties at their mean rank, with mean 0."""
    count = len(series)
    ordered = series[order]
    scores = np.empty(count)
    if (ordered[1:] > ordered[:-1]).all():
        scores[order] = _untied_scores(count)
        return scores
    _, places, repeats = np.unique(series, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(repeats) - (repeats - 1) / 2)[places]
    scores = special.ndtri((ranks - 0.375) / (count + 0.25))
    return np.asarray(scores - scores.mean(), dtype=np.float64)


@lru_cache(maxsize=256)
def _untied_scores(count: int) -> Array:
    scores = special.ndtri((np.arange(1, count + 1) - 0.375) / (count + 0.25))
    return np.asarray(scores - scores.mean(), dtype=np.float64)


def _initial_positive(lags: Sequence[float]) -> float:
    """Geyer's sum of autocorrelations in pairs, up to the first pair that is not positive."""
    total = 1.0 + 2 * lags[0]
    for even in range(1, len(lags) - 1, 2):
        pair = lags[even] + lags[even + 1]
        if pair <= 0:
            break
        total += 2 * pair
    return total


def dependent_median_interval(values: Sequence[float] | Array, level: float = 0.95) -> Interval:
    """The median of serially correlated values with its interval from order statistics.

    As for independent values, but the number of values below the median is taken to vary like that of
    n / tau independent ones, with tau the correlation time (Heidelberger & Lewis, Operations Research 32,
    1984, 185); Student's t with that many degrees of freedom allows for tau being estimated. Two to five
    values cannot enclose their median at 95 % by order alone: there the interval is that of Student's t
    around the mean, in log where all are positive, and never narrower than their range.

    Raises:
        ValueError: for no values, or one that is not finite.
    """
    series = np.asarray(values, dtype=np.float64)
    ordered = np.sort(series).tolist()  # what is not finite comes to the ends
    if not ordered or not math.isfinite(ordered[0]) or not math.isfinite(ordered[-1]):
        raise ValueError("a median needs at least one value, and finite ones only")
    count = len(ordered)
    effective = count / correlation_time(series)
    quantile = float(special.stdtrit(max(effective - 1, 2.0), (1 + level) / 2))
    half_width = 0.5 * quantile * count / math.sqrt(effective)
    index = max(math.floor(count / 2 - half_width), 0)
    low, high = ordered[index], ordered[-1 - index]
    if 2 <= count < FEWEST_ENCLOSING:
        reach = _student_bounds(np.array(ordered), level)
        low, high = min(low, reach[0]), max(high, reach[1])
    return Interval(low=low, value=median(ordered), high=high, level=level, count=count)


def dependent_median_intervals(rows: Array, level: float = 0.95) -> list[Interval]:
    """``dependent_median_interval`` of every row, ``[row, value]``, together.

    Raises:
        ValueError: for no values, or one that is not finite.
    """
    count = rows.shape[1]
    if count < FEWEST_ENCLOSING or not np.isfinite(rows).all():
        return [dependent_median_interval(row, level) for row in rows]
    order, own = np.argsort(rows, axis=1, kind="stable"), np.arange(len(rows))[:, None]
    ordered = rows[own, order]
    effective = count / _correlation_times(rows, order, ordered)
    quantile = special.stdtrit(np.maximum(effective - 1, 2.0), (1 + level) / 2)
    half_width = 0.5 * quantile * count / np.sqrt(effective)
    index = np.maximum(np.floor(count / 2 - half_width), 0).astype(np.int64)
    bounds = ordered[own, np.stack([index, count - 1 - index], axis=1)].tolist()
    middles = ordered[:, [(count - 1) // 2, count // 2]].tolist()
    return [
        Interval(
            low=low, value=below if count % 2 else (below + above) / 2, high=high, level=level, count=count
        )
        for (low, high), (below, above) in zip(bounds, middles, strict=True)
    ]


def _correlation_times(rows: Array, order: NDArray[np.int64], ordered: Array) -> Array:
    """``correlation_time`` of every row; ``order`` sorts each."""
    count, power = rows.shape[1], _power(rows.shape[1])
    scores = np.empty_like(rows)
    scores[np.arange(len(rows))[:, None], order] = _untied_scores(count)
    first = (count * np.einsum("ij,ij->i", scores[:, 1:], scores[:, :-1]) / power + 1) / (count - 4)
    is_untied = np.logical_and.reduce(ordered[:, 1:] > ordered[:, :-1], axis=1)
    return np.array(
        [
            _time(own, neighbours, power) if untied else correlation_time(row)
            for untied, own, neighbours, row in zip(is_untied, scores, first.tolist(), rows, strict=True)
        ]
    )


@lru_cache(maxsize=256)
def _power(count: int) -> float:
    scores = _untied_scores(count)
    return float(scores @ scores)


def _student_bounds(values: Array, level: float) -> tuple[float, float]:
    """Student's t bounds of the mean, in log for positive values; else zero bounds durations from below."""
    is_positive = bool(values.min() > 0)
    scaled = np.log(values) if is_positive else values
    quantile = float(special.stdtrit(len(values) - 1, (1 + level) / 2))
    half_width = quantile * float(scaled.std(ddof=1)) / math.sqrt(len(values))
    low, high = float(scaled.mean()) - half_width, float(scaled.mean()) + half_width
    return (math.exp(low), math.exp(high)) if is_positive else (max(low, 0.0), high)


def block_indices(
    count: int, block_length: int, num_resamples: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Rows of step indices for a circular block bootstrap, ``[num_resamples, count]``.

    Blocks keep the correlation of neighbouring steps (Politis & Romano, 1992, circular blocks).
    """
    num_blocks = -(-count // block_length)
    begins = generator.integers(0, count, size=(num_resamples, num_blocks, 1))
    indices = (begins + np.arange(block_length)) % count
    return np.asarray(indices.reshape(num_resamples, -1)[:, :count], dtype=np.int64)
