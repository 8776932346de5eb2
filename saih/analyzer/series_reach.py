"""Whether points of a foreign series lie so that a law can be drawn through them at all."""

import math
from collections.abc import Sequence
from itertools import pairwise

from saih.analyzer.fit import GREATEST_FACTOR
from saih.domain.quantity import amount
from saih.domain.series_trend import SeriesPoint

LEAST_SPAN = 1.01
"""Largest over smallest size below which nothing tells one growth from another."""
GREATEST_SPAN = 1e12
"""Largest over smallest size, or value, beyond which cubes of ratios leave doubles."""
_GREATEST_LOG = 200.0
"""Of any value that a power law through two neighbours foresees, over theirs; doubles end at 709."""


def out_of_reach(points: Sequence[SeriesPoint]) -> str | None:
    """Why no law can be drawn through these points, by growing size; None where one can."""
    if len(points) < 2:
        return None
    if any(point.value <= 0 for point in points):
        return "All phases take no time at some size, so that no law of their sum follows."
    span = points[-1].size / points[0].size
    if span < LEAST_SPAN:
        return (
            f"The sizes lie within {100 * (span - 1):.2g} %: no law of growth follows. Measure sizes further "
            "apart."
        )
    values = [point.value for point in points]
    for what, ratio in (("sizes", span), ("values", max(values) / min(values))):
        if ratio > GREATEST_SPAN:
            return (
                f"The {what} differ by a factor of {ratio:.3g}, more than {GREATEST_SPAN:g}: no law is drawn "
                "over so much. Look whether all are in one unit, or give a part of the range by itself."
            )
    return _too_steep(points, span)


def _too_steep(points: Sequence[SeriesPoint], span: float) -> str | None:
    for small, large in pairwise(points):
        slope = math.log(large.value / small.value) / math.log(large.size / small.size)
        if abs(slope) * math.log(GREATEST_FACTOR * span) > _GREATEST_LOG:
            return (
                f"From size {amount(small.size)} to {amount(large.size)}, a factor of "
                f"{large.size / small.size:.6g}, the value changes by a factor of "
                f"{large.value / small.value:.4g}: no law is that steep. Look whether one of the two sizes "
                "is mistaken, or measure sizes further apart."
            )
    return None
