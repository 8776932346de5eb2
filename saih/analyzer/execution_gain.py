"""Points that were measured in several executions: told apart by them, and held against each other."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from saih.analyzer.propagation import quotient
from saih.domain.execution_gain import ExecutionGain
from saih.domain.point import Point
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import EXECUTION_LABEL, Analysis, FailedPoint, PointSummary
from workloads.execution import PLAIN, REFERENCE

_BASELINES = (REFERENCE.name, PLAIN.name)
"""What others are held against, the first that was measured."""
Member = TypeVar("Member", PointSummary, FailedPoint, DroppedPoint)


def naming_executions(analysis: Analysis) -> Analysis:
    """The analysis with labels that name executions, where its points differ in them."""
    members: tuple[PointSummary | FailedPoint | DroppedPoint, ...]
    members = (*analysis.points, *analysis.failed, *analysis.dropped)
    if len({one.point.execution for one in members}) < 2:
        return analysis
    return replace(
        analysis,
        points=_named(analysis.points),
        failed=_named(analysis.failed),
        dropped=_named(analysis.dropped),
    )


def execution_gains(points: Sequence[PointSummary]) -> tuple[ExecutionGain, ...]:
    """What each execution is faster than the reference, or than the plain one where that is all there is.

    Points are held against those that differ from them in their execution alone, in the order of ``points``.
    """
    groups: dict[Hashable, list[PointSummary]] = defaultdict(list)
    for point in points:
        groups[_asked(point)].append(point)
    return tuple(gain for group in groups.values() for gain in _gains(group))


def _named(members: Sequence[Member]) -> tuple[Member, ...]:
    return tuple(replace(one, labels=_with_execution(one.labels, one.point)) for one in members)


def _with_execution(labels: Mapping[str, str], point: Point) -> dict[str, str]:
    return {**labels, EXECUTION_LABEL: point.execution.label}


def _asked(point: PointSummary) -> Hashable:
    """All that decides a run but its execution; the reference has a number format of its own."""
    return replace(point.point, execution=PLAIN), tuple(sorted(point.techniques.items()))


def _gains(group: Sequence[PointSummary]) -> Iterator[ExecutionGain]:
    by_name = {one.point.execution.name: one for one in reversed(group)}
    baseline = next((by_name[name] for name in _BASELINES if name in by_name), None)
    for one in group if baseline is not None else ():
        if one is not baseline and baseline is not None:
            yield ExecutionGain(
                labels={axis: label for axis, label in one.labels.items() if axis != EXECUTION_LABEL},
                axis_sizes=one.axis_sizes,
                placement_label=one.point.placement.label,
                name=one.point.execution.label,
                baseline=baseline.point.execution.label,
                settings=one.execution.found_words,
                ratio=quotient(one.samples_per_s, baseline.samples_per_s),
                record_id=one.record_id,
                baseline_record_id=baseline.record_id,
            )
