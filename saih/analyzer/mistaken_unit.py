"""Values a thousand times off the line through all others, as where one unit is told for another."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from saih.domain.interval import median
from saih.domain.quantity import in_seconds
from saih.domain.trend import RANKS_AXIS, PointSummary

Array = NDArray[np.float64]

FEWEST_SIZES = 4
"""With fewer sizes nobody can tell which side of a jump is wrong."""
_DECADES = (-9, -6, -3, 3, 6, 9)
_JUMP_DECADES = 2.65
_STEEPEST = 6.0
"""Exponent between two sizes beyond which a jump of a thousand is none of a law."""
NO_LAW_JUMPS = "no law jumps so. One side may be in another unit (ns for us), or another problem."
_REACH = 0.3
"""How far in decades a value may be from a thousand times its neighbours to count as such."""


def is_prefix(decades: float) -> bool:
    """Whether a factor of so many decades is about 10^3, 10^6 or 10^9, or one over that."""
    return any(abs(decades - one) <= _REACH for one in _DECADES)


def factor_words(decades: float) -> str:
    """Such as ``10^3``."""
    return f"10^{3 * round(decades / 3)}"


def decades_off(sizes: Sequence[float], values: Sequence[float]) -> Array:
    """Decimal logarithm of each positive value over the line through the medians of all sizes in log-log.

    The line has the median slope of all pairs of sizes and the median height (Theil 1950; Sen, JASA 63, 1968,
    1379): more than a quarter of the sizes may be off before it is. All is zero for one size.
    """
    groups: dict[float, list[float]] = defaultdict(list)
    for size, value in zip(sizes, values, strict=True):
        groups[size].append(math.log10(value))
    if len(groups) < 2:
        return np.zeros(len(values))
    x = np.log10(sorted(groups))
    y = np.array([median(groups[size]) for size in sorted(groups)])
    first, second = np.triu_indices(len(x), k=1)
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    height = float(np.median(y - slope * x))
    return np.log10(values) - slope * np.log10(sizes) - height


def jump(sizes: Sequence[float], values: Sequence[float]) -> int | None:
    """Place of the first positive value, sizes growing, whose next one no law reaches: either is off."""
    for place, (small, large) in enumerate(pairwise(zip(sizes, values, strict=True))):
        if large[0] <= small[0]:
            continue
        decades = abs(math.log10(large[1] / small[1]))
        if decades >= _JUMP_DECADES and decades / math.log10(large[0] / small[0]) > _STEEPEST:
            return place
    return None


def mistaken_points(points: Sequence[PointSummary]) -> Mapping[str, str]:
    """Record id -> why its durations are in another unit than those of the other sizes of its line.

    A line is made of points that differ in the data or in the model alone. Where half of a line or more is
    off, nobody can tell which half; a point that fits a line of the other axis is not off.
    """
    off: dict[str, str] = {}
    fitting: set[str] = set()
    for axis in ("data", "model"):
        for line in _lines(points, axis):
            sizes = [point.axis_sizes[axis] for point in line]
            found = decades_off(sizes, [point.step_ns.value for point in line])
            flags = [is_prefix(decades) for decades in found]
            is_told = 0 < 2 * sum(flags) < len(flags)
            for point, decades, is_off in zip(line, found.tolist(), flags, strict=True):
                if is_off and is_told:
                    off[point.record_id] = _words(point, axis, decades)
                elif not is_off:
                    fitting.add(point.record_id)
    return {record_id: why for record_id, why in off.items() if record_id not in fitting}


def _lines(points: Sequence[PointSummary], axis: str) -> list[list[PointSummary]]:
    """Points that are the same but for this axis of the problem, where there are enough sizes.

    What is switched, and sizes along axes within this one, are the same too.
    """
    groups: dict[tuple[object, ...], list[PointSummary]] = defaultdict(list)
    for one in points:
        own = one.point
        fixed = own.problem.model if axis == "data" else own.problem.data
        settings = (own.batch_per_rank, own.precision, own.execution, own.exchange, own.workload)
        switched = tuple(sorted(one.techniques.items()))
        usual = ("data", "model", RANKS_AXIS)
        others = tuple(size for name, size in one.axis_sizes.items() if name not in usual)
        key = (fixed, own.placement, own.timing, own.seed, switched, others, *settings)
        groups[key].append(one)
    return [
        group
        for group in groups.values()
        if len({point.axis_sizes.get(axis, 0.0) for point in group}) >= FEWEST_SIZES
        and all(point.axis_sizes.get(axis, 0.0) > 0 for point in group)
    ]


def _words(point: PointSummary, axis: str, decades: float) -> str:
    return (
        f"its step of {in_seconds(point.step_ns.value)} is about {factor_words(decades)} times what the "
        f"other sizes along {axis} lead to expect, as where one unit is told for another (ns for us)"
    )
