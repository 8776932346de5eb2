"""A number with its interval and count, and the distribution-free interval of a median."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

_LARGEST_EXACT = 200
"""Up to this count the binomial sum is exact; beyond, its normal limit is off by less than one place."""

FEWEST_ENCLOSING = 6
"""Fewer values cannot enclose their median at 95 %: 1 - 2 / 2^n reaches 0.95 from n = 6 on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value with the bounds of its interval at ``level`` and the count of observations behind it."""

    low: float
    value: float
    high: float
    level: float
    count: int

    def __post_init__(self) -> None:
        # One chain tells all, NaN too: analyses of many records make a great many intervals.
        if not -math.inf < self.low <= self.value <= self.high < math.inf:
            bounds = (self.low, self.value, self.high)
            raise ValueError(f"an interval needs finite low <= value <= high, got {bounds}")
        if self.count < 1 or not 0 < self.level < 1:
            raise ValueError(f"count {self.count} or level {self.level} of an interval is impossible")

    @property
    def relative_width(self) -> float:
        """Full width over the value; infinite when the value is 0."""
        return (self.high - self.low) / abs(self.value) if self.value else math.inf

    def scaled(self, factor: float) -> "Interval":
        """This interval in another unit; a negative factor is refused."""
        if factor < 0:
            raise ValueError(f"factor {factor} must not be negative")
        return Interval(
            low=self.low * factor,
            value=self.value * factor,
            high=self.high * factor,
            level=self.level,
            count=self.count,
        )

    def inverted(self, numerator: float = 1.0) -> "Interval":
        """``numerator`` over this positive interval, such as a rate from a duration."""
        if self.low <= 0:
            raise ValueError(f"only a positive interval can be inverted, got low {self.low}")
        return Interval(
            low=numerator / self.high,
            value=numerator / self.value,
            high=numerator / self.low,
            level=self.level,
            count=self.count,
        )


def median(values: Sequence[float]) -> float:
    """The median of a non-empty sequence."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def median_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Median with its distribution-free interval from order statistics.

    The k-th smallest and k-th largest of n independent values enclose the median with probability
    1 - 2 P(Binomial(n, 1/2) < k) (David & Nagaraja, Order Statistics, 2003, section 7.1). Too few values
    for ``level`` give the whole range.

    Raises:
        ValueError: for no values, or one that is not finite.
    """
    if not values or not all(math.isfinite(value) for value in values):
        raise ValueError("a median needs at least one value, and finite ones only")
    ordered = sorted(values)
    index = _order_index(len(ordered), level)
    return Interval(
        low=ordered[index],
        value=median(ordered),
        high=ordered[-1 - index],
        level=level,
        count=len(ordered),
    )


@cache
def _order_index(count: int, level: float) -> int:
    """Largest 0-based index i such that [i, count-1-i] still covers the median at ``level``."""
    if count > _LARGEST_EXACT:
        deviations = NormalDist().inv_cdf((1 + level) / 2)
        return math.floor(count / 2 - deviations * math.sqrt(count) / 2) - 1
    tail, index = 0.0, 0
    for k in range(count // 2):
        tail += math.comb(count, k) * 0.5**count
        if 2 * tail > 1 - level:
            break
        index = k
    return index
