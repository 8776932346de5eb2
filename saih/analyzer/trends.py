"""How the step moves along each swept axis, everything else fixed."""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.checks import check_trend
from saih.analyzer.component_crossing import Reach, component_crossings
from saih.analyzer.each import Each, one_by_one
from saih.analyzer.fit import Measured, Prediction, describe, fit_law, fit_laws, intervals, predict
from saih.analyzer.fixed_shape import without_axis
from saih.analyzer.forecast import Forecast, Wanted, forecast_all
from saih.analyzer.held_out import foresee_largest, without_largest
from saih.analyzer.memory_room import memory_room
from saih.analyzer.paced_ceilings import given_peak
from saih.analyzer.peer_forecasts import own_chained_error, peer_forecasts
from saih.analyzer.propagation import log_deviation
from saih.analyzer.recombination import PROBLEM_GROWS, Composition, Family, Line, compose_all
from saih.analyzer.step_rule import pooled_noise
from saih.analyzer.trend_scene import Laws, Scene, target_of
from saih.domain.ceiling import Ceilings
from saih.domain.interval import Interval
from saih.domain.peer import PeerForecast
from saih.domain.scaling import Scaling
from saih.domain.trend import EXECUTION_LABEL, RANKS_AXIS, CurvePoint, Fit, PointSummary, Trend
from workloads.protocol import Axis

Array = NDArray[np.float64]

POINTS_INSIDE = 25
POINTS_OUTSIDE = 8
MOST_TOGETHER = 16
"""Courses whose laws are fitted together: more are hardly faster and need more memory."""
_LINE_IN_POINTS = 10
"""What a line costs, in points that are judged, at about."""
_NO_FACTS: Mapping[str, str] = MappingProxyType({})


def find_trends(
    points: Sequence[PointSummary],
    axes: Sequence[Axis],
    ceilings: Sequence[Ceilings],
    facts: Mapping[str, str] = _NO_FACTS,
    each: Each = one_by_one,
) -> tuple[Trend, ...]:
    """One trend for each axis that takes more than one rung and each setting of everything else.

    ``facts`` of the environment tell how much memory there is; ``each`` is how lines are looked at.
    """
    by_placement = {found.placement_label: found for found in reversed(ceilings)}
    return trends_along(
        [
            _course(group, axis, by_placement.get(group[0].point.placement.seats_label), facts)
            for axis in axes
            for group in _swept_groups(points, axis, axes)
        ],
        each,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Points by growing size along one axis, and what their trend is made of."""

    axis: str
    size_label: str
    fixed: str
    points: Sequence[PointSummary]
    sizes: Sequence[float]
    peak: Interval | None
    """Measured peak that holds at every size; None where there is none, or each placement has its own."""
    family: Family = PROBLEM_GROWS
    scaling: Scaling | None = None
    """What stays along the axis of ranks; None on axes along which the problem grows."""
    greatest: float = math.inf
    """Largest size that can exist."""
    ceilings: Ceilings | None = None
    """Of the placement of the largest point."""
    memory_bytes: float | None = None
    """Room for the tensors of one rank; None where it is not known."""


def _swept_groups(
    points: Sequence[PointSummary], axis: Axis, axes: Sequence[Axis]
) -> list[list[PointSummary]]:
    """Those along an axis, if any of them takes more than one of its rungs."""
    groups = _groups(points, axis, axes)
    return groups if any(len({point.labels[axis.name] for point in group}) > 1 for group in groups) else []


def _groups(points: Sequence[PointSummary], axis: Axis, axes: Sequence[Axis]) -> list[list[PointSummary]]:
    """Points that differ in nothing but this axis, by growing size; those without one are in no group."""
    groups: dict[Hashable, list[PointSummary]] = defaultdict(list)
    for point in points:
        if axis.name in point.axis_sizes:
            own = point.point
            fixed = replace(own, problem=without_axis(own.problem, axis, axes))
            groups[fixed, tuple(sorted(point.techniques.items()))].append(point)
    return [sorted(group, key=lambda point: point.axis_sizes[axis.name]) for group in groups.values()]


def _course(
    group: list[PointSummary], axis: Axis, ceilings: Ceilings | None, facts: Mapping[str, str]
) -> Course:
    return Course(
        axis=axis.name,
        size_label=axis.size_label,
        fixed=_fixed(group[0], axis.name),
        points=group,
        sizes=[point.axis_sizes[axis.name] for point in group],
        peak=_common_peak(group, ceilings),
        ceilings=ceilings,
        memory_bytes=memory_room(facts, group[0].point.placement),
    )


def trends_along(courses: Sequence[Course], each: Each = one_by_one) -> tuple[Trend, ...]:
    """The laws of the step and its phases along each course, their curves, and how far to trust them."""
    together = [courses[begin : begin + MOST_TOGETHER] for begin in range(0, len(courses), MOST_TOGETHER)]
    return tuple(chain.from_iterable(each(_trends_of, together, _LINE_IN_POINTS * MOST_TOGETHER)))


def _trends_of(courses: Sequence[Course]) -> list[Trend]:
    return [_trend(course, laws) for course, laws in zip(courses, _fit(courses), strict=True)]


def _trend(course: Course, laws: Laws | None) -> Trend:
    group = course.points
    step_curve: tuple[CurvePoint, ...] = ()
    share_curve: tuple[CurvePoint, ...] = ()
    if laws is not None:
        step_curve, share_curve = _curves(laws.forecast, course)
    scene = Scene(
        points=group,
        sizes=course.sizes,
        laws=laws,
        share_curve=share_curve,
        family=course.family,
        scaling=course.scaling,
        greatest=course.greatest,
        ceilings=course.ceilings,
        memory_bytes=course.memory_bytes,
    )
    return Trend(
        axis=course.axis,
        size_label=course.size_label,
        fixed=course.fixed,
        record_ids=tuple(point.record_id for point in group),
        labels=tuple(point.labels[course.axis] for point in group),
        sizes=tuple(course.sizes),
        step_ns=tuple(point.step_ns for point in group),
        share_of_peak=tuple(point.share_of_peak for point in group),
        total=describe(laws.total, None) if laws else None,
        components=_components(laws.composition) if laws else (),
        step_curve=step_curve,
        share_curve=share_curve,
        checks=check_trend(scene),
        crossings=tuple(laws.crossings) if laws else (),
        peers=_peers(course) if laws else (),
        chained_error=own_chained_error(laws.total) if laws else None,
    )


def _fit(courses: Sequence[Course]) -> list[Laws | None]:
    """Laws of courses, many of which have the same sizes, so that they are fitted together."""
    lines = [Line(points=one.points, sizes=one.sizes, family=one.family) for one in courses]
    compositions = compose_all([*lines, *(without_largest(line) for line in lines)])
    totals = fit_laws([_whole(line) for line in lines])
    expected = foresee_largest(lines, compositions[len(lines) :])
    wanted = {
        place: Wanted(composition=composition, total=total, sizes=_grid(course), greatest=course.greatest)
        for place, (course, composition, total) in enumerate(
            zip(courses, compositions[: len(lines)], totals, strict=True)
        )
        if composition is not None and total is not None
    }
    found = dict(zip(wanted, forecast_all(list(wanted.values())), strict=True))
    return [
        _laws(course, wanted[place], found[place], expected[place]) if place in wanted else None
        for place, course in enumerate(courses)
    ]


def _whole(line: Line) -> Measured:
    steps = [point.step_ns for point in line.points]
    return Measured(
        sizes=line.sizes,
        values=[step.value for step in steps],
        noise=pooled_noise(steps),
        library=line.family.whole,
    )


def _laws(course: Course, fitted: Wanted, found: Forecast, expected: Prediction | None) -> Laws:
    reach = Reach(largest=course.sizes[-1], is_ranks=course.scaling is not None)
    return Laws(
        total=fitted.total,
        composition=fitted.composition,
        forecast=found,
        expected=expected,
        crossings=component_crossings(found, reach),
    )


def _components(composition: Composition) -> tuple[Fit, ...]:
    found = {**composition.laws, **composition.hidden}
    return tuple(describe(law, phase) for phase, law in found.items())


def _peers(course: Course) -> tuple[PeerForecast, ...]:
    steps = [point.step_ns.value for point in course.points]
    return peer_forecasts(course.sizes, steps, target_of(course.sizes[-1], course.greatest))


def _curves(found: Forecast, course: Course) -> tuple[tuple[CurvePoint, ...], tuple[CurvePoint, ...]]:
    """The composed step, and the share of peak that it means, inside the range and beyond it."""
    group, sizes, peak = course.points, course.sizes, course.peak
    largest = max(sizes)
    grid = _grid(course)
    step = found.pick(found.step, grid)
    step_curve = _curve(step, grid, largest, len(group))
    if peak is None:
        return step_curve, ()
    share = Prediction(
        log_value=np.log(_flops(group, sizes, grid) * 1e9 / peak.value) - step.log_value,
        log_deviation=np.hypot(step.log_deviation, log_deviation(peak)),
        freedom=step.freedom,
    )
    return step_curve, _curve(share, grid, largest, len(group))


def _grid(course: Course) -> Array:
    """Sizes at which curves are drawn; ranks are whole."""
    largest = max(course.sizes)
    target = target_of(largest, course.greatest)
    inside = np.geomspace(min(course.sizes), largest, POINTS_INSIDE)
    outside = np.geomspace(largest, target, POINTS_OUTSIDE + 1)
    grid = np.concatenate([inside, outside, np.array(course.sizes)])
    return np.unique(grid if course.scaling is None else np.rint(grid))


def _curve(prediction: Prediction, grid: Array, largest: float, count: int) -> tuple[CurvePoint, ...]:
    return tuple(
        CurvePoint(size=float(size), interval=interval, is_extrapolated=bool(size > largest * (1 + 1e-9)))
        for size, interval in zip(grid, intervals(prediction, count), strict=True)
    )


def _flops(group: Sequence[PointSummary], sizes: Sequence[float], grid: Array) -> Array:
    """FLOPs of one step at these sizes: interpolated in log-log, beyond the range by their own law."""
    unique, first = np.unique(sizes, return_index=True)
    flops = np.array([group[index].flops_per_step for index in first])
    inside = np.exp(np.interp(np.log(grid), np.log(unique), np.log(flops)))
    law = fit_law(unique.tolist(), flops.tolist(), 0.0)
    if law is None:
        return np.asarray(inside, dtype=np.float64)
    fitted = np.exp(predict(law, grid).log_value)
    anchor = flops[-1] / np.exp(predict(law, unique[-1:]).log_value[0])
    return np.asarray(np.where(grid > unique[-1], fitted * anchor, inside), dtype=np.float64)


def _common_peak(group: Sequence[PointSummary], ceilings: Ceilings | None) -> Interval | None:
    """That of all points; None where a search ran them in number formats with a peak each."""
    return _peak(group[0], ceilings) if len({point.precision for point in group}) == 1 else None


def _peak(point: PointSummary, ceilings: Ceilings | None) -> Interval | None:
    """What the share of peak of a point is a share of: measured, or given by its problem."""
    peak = ceilings.peak_flops_per_s(point.precision) if ceilings is not None else None
    given = given_peak(point)
    if given is not None:
        return Interval(value=given, low=given, high=given, level=0.95, count=1)
    return peak if peak is not None and peak.low > 0 and point.flops_per_step > 0 else None


def _fixed(summary: PointSummary, axis: str) -> str:
    point = summary.point
    untold = (axis, RANKS_AXIS, EXECUTION_LABEL)
    others = [f"{name} {label}" for name, label in summary.labels.items() if name not in untold]
    settings = [
        *(f"{name} {state}" for name, state in summary.techniques.items()),
        f"batch {point.batch_per_rank} per rank",
        point.run_words,
        f"exchange {point.exchange}",
        point.placement.label,
        f"seed {point.seed}",
    ]
    return ", ".join(others + settings)
