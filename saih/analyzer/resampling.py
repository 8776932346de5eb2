"""The typical step, and how well the steps tell it: a block bootstrap over their parts."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.correlation import block_indices, correlation_time
from saih.domain.interval import Interval

Array = NDArray[np.float64]
Name = TypeVar("Name")
LEVEL = 0.95
NUM_RESAMPLES = 400
SEED = 20
_CUT_ONE_IN = 10
"""One in so many steps, ordered by duration, is left out at either end of those that the mean is of."""


def typical_parts(table: Array, num_deviates: int) -> tuple[Array, Array]:
    """Mean of each part ``[P, S]`` over the central steps, ``[P, 1 + resamples]``: measured, then resampled.

    Ordered by duration, a tenth of the steps is left out at either end: outliers do not count, waits that
    come only at every few steps do, and the parts still sum to the step. With them come normal deviates
    ``[num_deviates, 1 + resamples]`` for what else is uncertain, from the same generator.
    """
    whole = table.sum(axis=0)
    count = len(whole)
    block = max(1, round(min(correlation_time(whole), count / 3)))
    occurrences, deviates = _draws(count, block, num_deviates)
    order = np.argsort(whole, kind="stable")
    cut = count // _CUT_ONE_IN
    # Central steps up to each one, by duration, without sorting every resample; the sum over steps of how
    # often each is central times its parts is then one by parts.
    ordered = table[:, order]
    passed = _running_sums(occurrences[order])
    np.clip(passed, cut, count - cut, out=passed)
    passed -= cut
    parts = ordered.copy()
    parts[:, :-1] -= ordered[:, 1:]
    return parts @ passed / (count - 2 * cut), deviates


def _running_sums(rows: Array) -> Array:
    """Sums down each column, in place: row by row, which is several times as fast as ``cumsum``."""
    above = rows[0]
    for row in rows[1:]:
        np.add(row, above, out=row)
        above = row
    return rows


def central_means(table: Array) -> Array:
    """Mean of each part ``[P, S]`` over the central steps: the measured column of ``typical_parts``."""
    count = table.shape[1]
    order = np.argsort(table.sum(axis=0), kind="stable")
    cut = count // _CUT_ONE_IN
    return np.asarray(table[:, order[cut : count - cut]].mean(axis=1))


def resampled_sums(table: Array) -> Array:
    """Sum of each row ``[P, S]`` over all steps, ``[P, 1 + resamples]``: measured, then resampled."""
    count = table.shape[1]
    block = max(1, round(min(correlation_time(table.max(axis=0)), count / 3)))
    return np.asarray(table @ _draws(count, block, 0)[0])


def bounds(resampled: Array) -> tuple[Array, Array]:
    """Lower and upper percentile at ``LEVEL`` along the last axis: order statistics, as 400 + 1 allow."""
    last = resampled.shape[-1] - 1
    low, high = round((1 - LEVEL) / 2 * last), round((1 + LEVEL) / 2 * last)
    ordered = np.sort(resampled, axis=-1)  # faster than two partitions
    return ordered[..., low], ordered[..., high]


def intervals_of(rows: Mapping[Name, Array], count: int) -> dict[Name, Interval]:
    """Percentile interval of each row around its first, measured, value; all at once, which is faster."""
    table = np.array(list(rows.values()))
    lows, highs = bounds(table)
    return {
        name: Interval(low=min(low, value), value=value, high=max(high, value), level=LEVEL, count=count)
        for name, value, low, high in zip(
            rows, table[:, 0].tolist(), lows.tolist(), highs.tolist(), strict=True
        )
    }


@lru_cache(maxsize=64)
def _draws(count: int, block: int, num_deviates: int) -> tuple[Array, Array]:
    """How often each step occurs in each resample ``[S, 1 + resamples]``, the measured one first; deviates.

    The seed is fixed, so that these follow from the number of steps and the length of blocks alone.
    """
    generator = np.random.default_rng(SEED)
    rows = np.vstack([np.arange(count), block_indices(count, block, NUM_RESAMPLES, generator)])
    offsets = count * np.arange(len(rows))[:, None]
    counts = np.bincount((rows + offsets).ravel(), minlength=rows.size)
    occurrences = np.ascontiguousarray(counts.reshape(rows.shape).T, dtype=np.float64)
    deviates = generator.standard_normal((num_deviates, NUM_RESAMPLES + 1))
    return occurrences, deviates
