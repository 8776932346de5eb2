"""How the step moves along each swept axis, everything else fixed."""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.checks import TARGET_FACTOR, Scene, check_trend
from saih.analyzer.component_crossing import Reach, component_crossings
from saih.analyzer.fit import Law, Prediction, describe, fit_law, intervals, predict
from saih.analyzer.propagation import log_deviation
from saih.analyzer.recombination import (
    PROBLEM_GROWS,
    Composition,
    Family,
    compose,
    pooled_noise,
    predict_step,
)
from saih.domain.ceiling import Ceilings
from saih.domain.interval import Interval
from saih.domain.scaling import Scaling
from saih.domain.trend import RANKS_AXIS, CurvePoint, Fit, PointSummary, Trend
from workloads.protocol import Axis

Array = NDArray[np.float64]

POINTS_INSIDE = 25
POINTS_OUTSIDE = 8


def find_trends(
    points: Sequence[PointSummary], axes: Sequence[Axis], ceilings: Sequence[Ceilings]
) -> tuple[Trend, ...]:
    """One trend for each axis that takes more than one rung and each setting of everything else."""
    return tuple(
        trend_along(_course(group, axis, ceilings))
        for axis in axes
        if _is_swept(points, axis.name)
        for group in _groups(points, axis.name)
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


def _is_swept(points: Sequence[PointSummary], axis: str) -> bool:
    return len({point.labels[axis] for point in points}) > 1


def _groups(points: Sequence[PointSummary], axis: str) -> list[list[PointSummary]]:
    """Points that differ in nothing but this axis, each group by growing size."""
    groups: dict[str, list[PointSummary]] = defaultdict(list)
    for point in points:
        fixed = {name: value for name, value in point.point.definition.items() if name != axis}
        groups[json.dumps(fixed, sort_keys=True)].append(point)
    return [sorted(group, key=lambda point: point.axis_sizes[axis]) for group in groups.values()]


def _course(group: list[PointSummary], axis: Axis, ceilings: Sequence[Ceilings]) -> Course:
    return Course(
        axis=axis.name,
        size_label=axis.size_label,
        fixed=_fixed(group[0], axis.name),
        points=group,
        sizes=[point.axis_sizes[axis.name] for point in group],
        peak=_peak(group[0], ceilings),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Laws:
    total: Law
    composition: Composition


def trend_along(course: Course) -> Trend:
    """The laws of the step and its phases along a course, their curves, and how far they may be trusted."""
    group = course.points
    laws = _fit(course)
    step_curve: tuple[CurvePoint, ...] = ()
    share_curve: tuple[CurvePoint, ...] = ()
    if laws is not None:
        step_curve, share_curve = _curves(laws, course)
    scene = Scene(
        points=group,
        sizes=course.sizes,
        total=laws.total if laws else None,
        composition=laws.composition if laws else None,
        share_curve=share_curve,
        family=course.family,
        scaling=course.scaling,
        greatest=course.greatest,
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
        components=_components(laws) if laws else (),
        step_curve=step_curve,
        share_curve=share_curve,
        checks=check_trend(scene),
        crossings=component_crossings(laws.composition, _reach(course)) if laws else (),
    )


def _reach(course: Course) -> Reach:
    return Reach(
        smallest=course.sizes[0],
        largest=course.sizes[-1],
        greatest=course.greatest,
        is_ranks=course.scaling is not None,
    )


def _fit(course: Course) -> _Laws | None:
    steps = [point.step_ns for point in course.points]
    composition = compose(course.points, course.sizes, course.family)
    if composition is None:
        return None
    total = fit_law(course.sizes, [step.value for step in steps], pooled_noise(steps), course.family.whole)
    return _Laws(total=total, composition=composition) if total is not None else None


def _components(laws: _Laws) -> tuple[Fit, ...]:
    found = {**laws.composition.laws, **laws.composition.hidden}
    return tuple(describe(law, phase) for phase, law in found.items())


def _curves(laws: _Laws, course: Course) -> tuple[tuple[CurvePoint, ...], tuple[CurvePoint, ...]]:
    """The composed step, and the share of peak that it means, inside the range and beyond it."""
    group, sizes, peak = course.points, course.sizes, course.peak
    largest = max(sizes)
    grid = _grid(course)
    step = predict_step(laws.composition, grid)
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
    target = min(TARGET_FACTOR * largest, course.greatest)
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


def _peak(point: PointSummary, ceilings: Sequence[Ceilings]) -> Interval | None:
    label = point.point.placement.label
    own = [found for found in ceilings if found.placement_label == label]
    peak = own[0].peak_flops_per_s(point.point.precision) if own else None
    return peak if peak is not None and peak.low > 0 and point.flops_per_step > 0 else None


def _fixed(summary: PointSummary, axis: str) -> str:
    point = summary.point
    others = [f"{name} {label}" for name, label in summary.labels.items() if name not in (axis, RANKS_AXIS)]
    settings = [
        f"batch {point.batch_per_rank} per rank",
        point.precision,
        f"exchange {point.exchange}",
        point.placement.label,
        f"seed {point.seed}",
    ]
    return ", ".join(others + settings)
