"""Intervals of quotients and means of measured numbers, from the intervals of their parts."""

import math
from collections.abc import Sequence
from functools import lru_cache

from scipy import special

from saih.domain.interval import Interval


@lru_cache(maxsize=32)
def normal_quantile(level: float) -> float:
    """Half-width of the two-sided normal interval at ``level``, in standard deviations."""
    return float(special.ndtri((1 + level) / 2))


def quotient(numerator: Interval, denominator: Interval) -> Interval:
    """``numerator / denominator`` of two independent positive numbers, at the numerator's level.

    Method of variance estimates recovery on the log scale (Donner & Zou, Stat. Methods Med. Res. 21, 2012,
    347): the distances to each bound add in quadrature, so skewed intervals stay skewed.

    Raises:
        ValueError: when a bound is not positive.
    """
    if numerator.low <= 0 or denominator.low <= 0:
        raise ValueError(f"a quotient needs positive bounds, got {numerator.low} and {denominator.low}")
    rescale = normal_quantile(numerator.level) / normal_quantile(denominator.level)
    down = math.hypot(
        math.log(numerator.value / numerator.low), rescale * math.log(denominator.high / denominator.value)
    )
    up = math.hypot(
        math.log(numerator.high / numerator.value), rescale * math.log(denominator.value / denominator.low)
    )
    value = numerator.value / denominator.value
    return Interval(
        low=value * math.exp(-down),
        value=value,
        high=value * math.exp(up),
        level=numerator.level,
        count=min(numerator.count, denominator.count),
    )


def geometric_mean(values: Sequence[Interval]) -> Interval | None:
    """Geometric mean of independent positive numbers at the first one's level; None without numbers.

    The interval speaks of exactly these numbers (their measuring errors), not of others like them.
    """
    if not values:
        return None
    count = len(values)
    centre = sum(math.log(value.value) for value in values) / count
    down = math.hypot(*(math.log(value.value / value.low) for value in values)) / count
    up = math.hypot(*(math.log(value.high / value.value) for value in values)) / count
    return Interval(
        low=math.exp(centre - down),
        value=math.exp(centre),
        high=math.exp(centre + up),
        level=values[0].level,
        count=count,
    )


def log_deviation(value: Interval) -> float:
    """Standard deviation of log(value) that the width of a positive interval stands for."""
    return math.log(value.high / value.low) / 2 / normal_quantile(value.level)
