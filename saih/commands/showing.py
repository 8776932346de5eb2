"""One point of a sweep, gathered from its plan, its attempts, and their analysis."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from augment.problem import ProblemError
from saih.analyzer.analysis import analyze
from saih.analyzer.study import with_studies
from saih.analyzer.verification import with_verifications
from saih.commands.found_point import Found
from saih.commands.outcome import next_command
from saih.commands.situation import read_account
from saih.domain.ceiling import Ceilings
from saih.domain.errors import DamagedData
from saih.domain.point import Point
from saih.domain.record import Outcome, Record
from saih.domain.trend import PointSummary
from saih.planner.plan import cost_on, labels
from saih.reports.point_sheet import AttemptSheet, Course, PointCost, PointSheet
from saih.store.attempt import Attempt, read_record
from saih.store.bundle_origin import ceilings_root
from saih.store.ceilings_file import read_ceilings
from saih.store.study_file import read_studies
from saih.store.sweep_folder import SweepFolder, attempts_of, point_states
from saih.store.verification_file import read_trials
from workloads.catalog import workload
from workloads.protocol import Cost, Workload

_DROPPED = "nothing was started: the reason says which size to change, or which limit to raise"
_REFUSED = (
    "its record cannot be believed: move its attempt folder away, then the same sweep measures it again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tried:
    """One attempt, with its record where that verifies."""

    sheet: AttemptSheet
    record: Record | None
    damage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What became of the point, and what to do."""

    status: str
    reason: str
    advice: str
    next_command: str


def sheet_of(found: Found) -> PointSheet:
    """Everything about the point that was found."""
    folder, point = found.folder, found.point
    tried = [_tried(folder, attempt) for attempt in attempts_of(folder, point.point_id)]
    shown = _shown([one.record for one in tried if one.record is not None], found.attempt)
    summary, refusal, warnings = _summary(folder, shown)
    standing = _refused(refusal, _standing(found)) if refusal else _standing(found)
    application = workload(point.workload)
    cost = _cost(application, point)
    return PointSheet(
        sweep=folder.name,
        number=found.number,
        point_id=point.point_id,
        point=point,
        labels=found.labels or labels(point, application),
        axis_sizes={} if cost is None else dict(cost.axis_sizes),
        size_labels={axis.name: axis.size_label for axis in application.axes},
        status=standing.status,
        reason=standing.reason,
        cost=None if cost is None else _point_cost(cost, point),
        attempts=tuple(_marked(one.sheet, shown) for one in tried),
        summary=summary,
        course=_course(shown),
        warnings=(*warnings, *(one.damage for one in tried if one.damage)),
        advice=standing.advice,
        next_command=standing.next_command,
    )


def _tried(folder: SweepFolder, attempt: Attempt) -> _Tried:
    bare = AttemptSheet(
        record_id=f"{attempt.point_id}/attempt-{attempt.number}",
        outcome="unfinished",
        reason="it has no outcome: it is going on, or was stopped before its end",
        stop_reason="",
        finished_utc="",
        environment_id="",
        notes={},
        folder=attempt.folder,
        is_shown=False,
    )
    try:
        record = read_record(attempt, folder.name)
    except FileNotFoundError:
        return _Tried(sheet=bare, record=None)
    except DamagedData as error:
        damaged = replace(bare, outcome="damaged", reason=error.problem)
        return _Tried(sheet=damaged, record=None, damage=f"{error.problem} {error.remedy}")
    sheet = replace(
        bare,
        outcome=str(record.result.outcome),
        reason=record.result.reason,
        stop_reason=record.result.stop_reason,
        finished_utc=record.finished_utc,
        environment_id=record.environment.environment_id,
        notes=dict(record.result.notes),
    )
    return _Tried(sheet=sheet, record=record)


def _shown(records: Sequence[Record], attempt: int | None) -> Record | None:
    """The record that was asked for; else the one that counts: the first completed, or the last."""
    if attempt is not None:
        return next((record for record in records if record.attempt == attempt), None)
    completed = [record for record in records if record.result.outcome is Outcome.COMPLETED]
    first = min(completed, key=lambda record: (record.finished_utc, record.attempt), default=None)
    return first or (records[-1] if records else None)


def _summary(folder: SweepFolder, shown: Record | None) -> tuple[PointSummary | None, str, tuple[str, ...]]:
    """The numbers of a completed record; why the analysis refuses it; and what else to know."""
    if shown is None or shown.result.outcome is not Outcome.COMPLETED:
        return None, "", ()
    ceilings: Ceilings | None = None
    told: tuple[str, ...] = ()
    try:
        root = ceilings_root(folder)
        ceilings = read_ceilings(root, shown.environment.environment_id, shown.point.placement)
    except DamagedData as error:
        told = (f"{error.problem} {error.remedy}",)
    analysis = analyze(folder.name, [shown], [ceilings] if ceilings is not None else [], (), 1)
    trials, unverified = read_trials(folder, [shown])
    analysis = with_verifications(analysis, [shown], trials)
    studies, unread = read_studies(folder)
    analysis = with_studies(analysis, studies)
    told += tuple(f"{error.problem} {error.remedy}" for error in (*unverified, *unread))
    refusal = analysis.failed[0].reason if analysis.failed else ""
    return (analysis.points[0] if analysis.points else None), refusal, (*analysis.warnings, *told)


def _standing(found: Found) -> _Standing:
    """Where the point stands among all points of its sweep."""
    ids = [planned.point.point_id for planned in found.plan.points]
    point_id, folder = found.point.point_id, found.folder
    states = point_states(folder, dict.fromkeys([*ids, point_id]))
    account = read_account(folder, states)
    command = next_command(folder, states, live_points=account.live_points)
    state, standing = states[point_id], account.standings[point_id]
    if found.dropped and not state.num_attempts:
        return _Standing(status="dropped", reason=found.dropped, advice=_DROPPED, next_command=command)
    if account.jobs and state.is_to_be_measured:
        return _Standing(
            status=str(standing.standing), reason=standing.why, advice=standing.advice, next_command=command
        )
    outcome = f"{state.outcome}: " if state.outcome is not None and state.reason else ""
    return _Standing(
        status=str(state.status).replace("_", " "),
        reason=f"{outcome.replace('_', ' ')}{state.reason}",
        advice=standing.advice,
        next_command=command,
    )


def _refused(refusal: str, standing: _Standing) -> _Standing:
    return replace(standing, status="failed", reason=refusal, advice=_REFUSED)


def _cost(application: Workload, point: Point) -> Cost | None:
    try:
        application.check(point.problem)
        return cost_on(point, application)
    except ProblemError:
        return None


def _point_cost(cost: Cost, point: Point) -> PointCost:
    num_ranks = point.placement.num_ranks
    traffic = sum(operation.memory_bytes for operation in cost.operations)
    return PointCost(
        flops_per_step=cost.flops * num_ranks,
        flops_per_byte=cost.flops / traffic if traffic else 0.0,
        input_bytes_per_step=cost.input_bytes * num_ranks,
        gradient_bytes=cost.gradient_bytes,
        dataset_bytes=cost.dataset_bytes,
        peak_memory_bytes_per_rank=cost.tensor_bytes(point.placement.device),
        num_parameters=cost.num_parameters,
    )


def _marked(sheet: AttemptSheet, shown: Record | None) -> AttemptSheet:
    return replace(sheet, is_shown=shown is not None and shown.record_id == sheet.record_id)


def _course(shown: Record | None) -> Course | None:
    steps = shown.result.steps if shown is not None else None
    if steps is None:
        return None
    return Course(step_ns=steps.slowest_ns, losses=steps.losses, warmup_steps=steps.warmup_steps)
