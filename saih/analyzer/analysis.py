"""Records of one sweep in, everything that reports see out."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from saih.analyzer.copied_run import copied_runs
from saih.analyzer.each import Each, one_by_one
from saih.analyzer.energy import energy_trends
from saih.analyzer.execution_gain import execution_gains, naming_executions
from saih.analyzer.mistaken_unit import mistaken_points
from saih.analyzer.paced_ceilings import shown_ceilings
from saih.analyzer.ran_execution import cost_of, untold_execution
from saih.analyzer.rank_line import find_rank_lines, has_rank_axis, with_ranks
from saih.analyzer.rank_trends import find_rank_trends
from saih.analyzer.scaling import scale
from saih.analyzer.summary import summarize
from saih.analyzer.surface_findings import find_surfaces
from saih.analyzer.trends import find_trends
from saih.analyzer.validation import refusal, remarks
from saih.domain.ceiling import Ceilings
from saih.domain.errors import UsageError
from saih.domain.point import Point
from saih.domain.quantity import counted
from saih.domain.record import Environment, Outcome, Record
from saih.domain.scaling import RankLadder
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import RANKS_AXIS, Analysis, FailedPoint, PointSummary
from workloads import catalog
from workloads.protocol import Axis, Workload


def analyze(  # noqa: PLR0913 - the last two are for workloads outside the catalog and for many records
    sweep_name: str,
    records: Sequence[Record],
    ceilings: Sequence[Ceilings],
    dropped: Sequence[DroppedPoint],
    num_planned: int,
    *,
    rank_ladder: RankLadder | None = None,
    find_workload: Callable[[str], Workload] = catalog.workload,
    each: Each = one_by_one,
) -> Analysis:
    """Summaries (by placement and growing size), verdicts and trends of one sweep on one environment.

    Of several attempts at a point the first completed one counts; a point without one is a failed point with
    the reason of its last attempt. A completed record that cannot be believed is a failed point too, never
    an average. ``num_planned`` counts the points that the plan wanted to run; ``rank_ladder`` is the ranks
    axis of the sweep, which otherwise is what the points show. ``each`` is how points, and lines of them, are
    looked at.

    Raises:
        UsageError: for no records, or records of several sweeps or environments.
    """
    environment = _common_environment(sweep_name, records)
    warnings: list[str] = []
    attempts = _attempts(records, warnings)
    usable = _usable_ceilings(ceilings, environment, warnings)
    summaries: list[PointSummary] = []
    failed: list[FailedPoint] = []
    for found in each(partial(_judge, find_workload, usable), attempts):
        warnings += found.warnings
        if isinstance(found.result, FailedPoint):
            failed.append(found.result)
        else:
            summaries.append(found.result)
    _refuse_mistaken_units(summaries, failed)
    summaries.sort(key=_order)
    warnings += copied_runs([record for group in attempts for record in group])
    warnings += _without_ceilings(summaries, usable)
    shown, said = shown_ceilings(usable, summaries)
    warnings += said
    missing = num_planned - len(attempts)
    if missing > 0:
        have = "has" if missing == 1 else "have"
        warnings.append(f"{missing} of {num_planned} planned points {have} no usable record yet.")
    analysis = Analysis(
        sweep_name=sweep_name,
        environment=environment,
        ceilings=shown,
        points=tuple(summaries),
        trends=(),
        failed=tuple(failed),
        dropped=tuple(dropped),
        num_planned=num_planned,
        warnings=tuple(warnings),
    )
    analysis = _with_trends(naming_executions(analysis), rank_ladder, find_workload, each)
    return replace(
        analysis,
        energy_trends=energy_trends(analysis.trends, analysis.points),
        surfaces=find_surfaces(analysis.points),
        gains=execution_gains(analysis.points),
    )


def _refuse_mistaken_units(summaries: list[PointSummary], failed: list[FailedPoint]) -> None:
    """Move points whose durations are in another unit than their neighbours' to the failed ones."""
    mistaken = mistaken_points(summaries)
    failed += [
        FailedPoint(
            point=one.point,
            labels=one.labels,
            outcome=Outcome.FAILED,
            reason=f"refused by the analysis: {mistaken[one.record_id]}",
            num_attempts=1,
            tensor_bytes=one.tensor_bytes,
            record_ids=(one.record_id,),
        )
        for one in summaries
        if one.record_id in mistaken
    ]
    summaries[:] = [one for one in summaries if one.record_id not in mistaken]


def _order(summary: PointSummary) -> tuple[int, str, tuple[float, ...]]:
    placement = summary.point.placement
    return placement.num_ranks, placement.label, tuple(summary.axis_sizes.values())


def _with_trends(
    analysis: Analysis, ladder: RankLadder | None, find_workload: Callable[[str], Workload], each: Each
) -> Analysis:
    """The analysis with its trends along each axis; labels name ranks where they differ."""
    facts, axes = analysis.environment.facts, _axes(analysis.points, find_workload)
    if not has_rank_axis((*analysis.points, *analysis.failed, *analysis.dropped), ladder):
        return replace(analysis, trends=find_trends(analysis.points, axes, analysis.ceilings, facts, each))
    named = _naming_ranks(analysis)
    lines = find_rank_lines((*named.points, *named.failed, *named.dropped), ladder)
    trends = find_trends(named.points, axes, named.ceilings, facts, each)
    return replace(
        named,
        trends=(*trends, *find_rank_trends(lines, named.ceilings, find_workload)),
        scaling=tuple(scale(line) for line in lines),
    )


def _naming_ranks(analysis: Analysis) -> Analysis:
    return replace(
        analysis,
        points=tuple(
            replace(
                one,
                labels=with_ranks(one.labels, one.point),
                axis_sizes={**one.axis_sizes, RANKS_AXIS: float(one.point.placement.num_ranks)},
            )
            for one in analysis.points
        ),
        failed=tuple(replace(one, labels=with_ranks(one.labels, one.point)) for one in analysis.failed),
        dropped=tuple(replace(one, labels=with_ranks(one.labels, one.point)) for one in analysis.dropped),
    )


def _common_environment(sweep_name: str, records: Sequence[Record]) -> Environment:
    if not records:
        raise UsageError(f"sweep {sweep_name} has no records", "run the sweep before analyzing it.")
    foreign = sorted({record.sweep_name for record in records} - {sweep_name})
    if foreign:
        raise UsageError(
            f"records of sweep {', '.join(foreign)} are among those of {sweep_name}",
            "analyze each sweep by itself.",
        )
    environments = {record.environment.environment_id: record.environment for record in records}
    if len(environments) > 1:
        raise UsageError(
            f"sweep {sweep_name} was measured on {len(environments)} environments, which differ in "
            f"{_differing_facts(list(environments.values()))}",
            "analyze the records of each environment by themselves and compare the two analyses.",
        )
    return records[0].environment


def _differing_facts(environments: list[Environment]) -> str:
    names = sorted({name for environment in environments for name in environment.facts})
    parts = []
    for name in names:
        values = sorted({environment.facts.get(name, "no entry") for environment in environments})
        if len(values) > 1:
            parts.append(f"{name} ({' / '.join(values)})")
    return "; ".join(parts) or "no recorded fact"


def _attempts(records: Sequence[Record], warnings: list[str]) -> list[list[Record]]:
    """Attempts of each point in order; of several records with one id the first is kept, with a warning."""
    seen: dict[str, Record] = {}
    for record in records:
        first = seen.setdefault(record.record_id, record)
        if first is not record:
            same = "the same" if first == record else "different"
            warnings.append(
                f"Record {record.record_id} is there twice with {same} content; the first counts."
            )
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in seen.values():
        groups[record.point.point_id].append(record)
    return [sorted(group, key=lambda record: record.attempt) for group in groups.values()]


def _usable_ceilings(
    ceilings: Sequence[Ceilings], environment: Environment, warnings: list[str]
) -> Mapping[str, Ceilings]:
    """Ceilings of this environment by placement; others are named and left out."""
    usable: dict[str, Ceilings] = {}
    for found in ceilings:
        if found.environment_id != environment.environment_id:
            warnings.append(
                f"Ceilings for {found.placement_label} were measured on environment {found.environment_id}, "
                f"not on {environment.environment_id}; they are not used."
            )
        elif found.placement_label in usable:
            warnings.append(f"Ceilings for {found.placement_label} are there twice; the first count.")
        else:
            usable[found.placement_label] = found
    return usable


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    result: PointSummary | FailedPoint
    warnings: tuple[str, ...] = ()


def _judge(
    find_workload: Callable[[str], Workload], ceilings: Mapping[str, Ceilings], group: list[Record]
) -> _Judged:
    workload = find_workload(group[0].point.workload)
    record = next((one for one in group if one.result.outcome is Outcome.COMPLETED), None)
    point = group[0].point
    if record is None:
        last = group[-1].result
        return _Judged(
            result=FailedPoint(
                point=point,
                labels=_labels(point, workload),
                outcome=last.outcome,
                reason=last.reason,
                num_attempts=len(group),
                tensor_bytes=cost_of(group[0], workload).tensor_bytes(point.placement.device),
                record_ids=tuple(one.record_id for one in group),
            )
        )
    reason = refusal(record) or untold_execution(record)
    steps = record.result.steps
    if reason or steps is None:
        labels = _labels(point, workload)
        return _Judged(
            result=FailedPoint(
                point=point,
                labels=labels,
                outcome=Outcome.FAILED,
                reason=f"refused by the analysis: {reason}",
                num_attempts=len(group),
                tensor_bytes=cost_of(group[0], workload).tensor_bytes(point.placement.device),
                record_ids=tuple(one.record_id for one in group),
            ),
            warnings=(f"{_name(record, labels)} is refused: {reason}.",),
        )
    newest = ceilings.get(point.placement.seats_label)
    own = newest.in_force(record.finished_utc) if newest is not None else None
    summary = summarize(record, steps, workload, own)
    name = _name(record, summary.labels)
    peak = own.peak_flops_per_s(summary.precision) if own is not None else None
    said = tuple(f"{name}: {text}." for text in remarks(record, summary.flops_per_s, peak))
    if own is not None and own is not newest:
        words = (
            f"it was measured before the machine drifted, and is held against ceilings of {own.measured_utc}"
        )
        said = (*said, f"{name}: {words}.")
    return _Judged(result=summary, warnings=said)


def _labels(point: Point, workload: Workload) -> dict[str, str]:
    return {axis.name: workload.describe(point.problem, axis.name) for axis in workload.axes}


def _name(record: Record, labels: Mapping[str, str]) -> str:
    return f"Point {', '.join(labels.values())} on {record.point.placement.label} ({record.record_id})"


def _without_ceilings(points: Sequence[PointSummary], ceilings: Mapping[str, Ceilings]) -> Iterator[str]:
    """One sentence for each placement: there may be hundreds of points."""
    unknown = Counter(
        one.point.placement.seats_label for one in points if one.point.placement.seats_label not in ceilings
    )
    for placement, count in unknown.items():
        yield (
            f"{counted(count, 'point')} on {placement}: no ceilings were measured for this placement, so "
            "shares of peak and limits are unknown."
        )


def _axes(points: Sequence[PointSummary], find_workload: Callable[[str], Workload]) -> tuple[Axis, ...]:
    return find_workload(points[0].point.workload).axes if points else ()
