"""The grid of an adaptive sweep: its places by size, what is known of them, and what each would take."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from saih.analyzer.next_point import UNKNOWN, Belief, Grid, Place, beliefs
from saih.analyzer.terms import GROWTH, OWN_WORK, SHARED_WORK, Library
from saih.domain.errors import UsageError
from saih.domain.sweep import Sweep
from saih.domain.trend import RANKS_AXIS, Analysis, Trend
from saih.planner.adaptive import Prospect, expected_node_s
from saih.planner.plan import Plan, PlannedPoint

_THREADS = "threads per rank"


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The axes along which the points of a plan differ, and the sizes of each point along them."""

    names: tuple[str, ...]
    sizes: Mapping[str, tuple[float, ...]]
    library: Library
    """Which laws steps may follow where there is one axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is known of a grid now."""

    believed: Mapping[str, Belief]
    prospects: tuple[Prospect, ...]
    """Points without a measurement that were not tried, or are to be tried again."""
    spent_node_s: float


def axes_of(sweep: Sweep, plan: Plan) -> Axes:
    """The axes of a plan.

    Raises:
        UsageError: when points differ in something that has no size.
    """
    if len({planned.point.execution for planned in plan.points}) > 1:
        raise UsageError(
            f"points of {sweep.name} differ in their execution, which has no size",
            "leave --adaptive out, or sweep one execution after the other (run.execution).",
        )
    if len({tuple(sorted(planned.cost.techniques.items())) for planned in plan.points}) > 1:
        raise UsageError(
            f"points of {sweep.name} differ in a technique, which has no size",
            "leave --adaptive out, or sweep one technique after the other.",
        )
    rows = {planned.point.point_id: _sizes(planned) for planned in plan.points}
    names = next(iter(rows.values())).keys()
    swept = tuple(name for name in names if len({row[name] for row in rows.values()}) > 1)
    sizes = {point_id: tuple(row[name] for name in swept) for point_id, row in rows.items()}
    if len(set(sizes.values())) < len(sizes):
        raise UsageError(
            f"points of {sweep.name} differ in more than their sizes, ranks and threads",
            "leave --adaptive out, or sweep one placement for each number of ranks and threads.",
        )
    return Axes(names=swept, sizes=sizes, library=_library(sweep, swept))


def _sizes(planned: PlannedPoint) -> dict[str, float]:
    placement = planned.point.placement
    return {
        **planned.cost.axis_sizes,
        RANKS_AXIS: float(placement.num_ranks),
        _THREADS: float(placement.threads_per_rank),
    }


def _library(sweep: Sweep, swept: Sequence[str]) -> Library:
    if tuple(swept) == (_THREADS,):
        return SHARED_WORK
    if tuple(swept) != (RANKS_AXIS,):
        return GROWTH
    is_strong = sweep.rank_ladder is not None and sweep.rank_ladder.scaling == "strong"
    return SHARED_WORK if is_strong else OWN_WORK


def survey(plan: Plan, axes: Axes, analysis: Analysis | None, precision: float) -> Survey:
    """What the analysis of all records tells of every point of the plan; None before the first record."""
    steps = {} if analysis is None else {one.point.point_id: one.step_ns for one in analysis.points}
    failed = set() if analysis is None else {one.point.point_id for one in analysis.failed}
    places = [Place(point_id=point_id, sizes=sizes) for point_id, sizes in axes.sizes.items()]
    known = {point_id: step for point_id, step in steps.items() if point_id in axes.sizes}
    believed = beliefs(Grid(places=places, measured=known, library=axes.library))
    num_steps = float(np.median([step.count for step in known.values()])) if known else None
    crossings = {} if analysis is None else dict(_crossed(analysis, axes, precision))
    costs = {
        planned.point.point_id: _node_s(planned, believed[planned.point.point_id], num_steps)
        for planned in plan.points
    }
    return Survey(
        believed=believed,
        prospects=tuple(
            Prospect(
                point_id=point_id,
                half_width=believed[point_id].half_width,
                node_s=node_s,
                crossing=crossings.get(point_id, ""),
            )
            for point_id, node_s in costs.items()
            if point_id not in known and point_id not in failed
        ),
        spent_node_s=sum(costs[point_id] for point_id in costs if point_id in known or point_id in failed),
    )


def _node_s(planned: PlannedPoint, belief: Belief, num_steps: float | None) -> float:
    is_known = belief.half_width < UNKNOWN
    return expected_node_s(planned, belief.step_ns * 1e-9 if is_known else None, num_steps)


def _crossed(analysis: Analysis, axes: Axes, precision: float) -> Iterator[tuple[str, str]]:
    """Points strictly inside the interval of a crossing that is less sure than asked, with that crossing."""
    for trend in analysis.trends:
        if trend.axis not in axes.names:
            continue
        axis = axes.names.index(trend.axis)
        for crossing in trend.crossings:
            low, high = crossing.size.low, crossing.size.high
            if crossing.is_extrapolated or low <= 0 or math.log(high / low) <= 2 * precision:
                continue
            for point_id in _line(analysis, trend, axes, axis):
                if low < axes.sizes[point_id][axis] < high:
                    yield point_id, crossing.statement


def _line(analysis: Analysis, trend: Trend, axes: Axes, axis: int) -> list[str]:
    """All points of the grid on the line of a trend."""
    ids = {one.record_id: one.point.point_id for one in analysis.points}
    own = ids.get(trend.record_ids[0], "") if trend.record_ids else ""
    if own not in axes.sizes:
        return []
    fixed = _without(axes.sizes[own], axis)
    return [point_id for point_id, sizes in axes.sizes.items() if _without(sizes, axis) == fixed]


def _without(sizes: Sequence[float], axis: int) -> tuple[float, ...]:
    return tuple(size for index, size in enumerate(sizes) if index != axis)
