"""Studies of a sweep on this machine: whether its problems can be learnt, and which models learn best."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec

from saih.commands.choice import Choice
from saih.commands.selection import read_choice
from saih.commands.single_task import run_for
from saih.commands.stage import plan_here, require_points
from saih.commands.talk import give, give_json, say
from saih.config.definition import define
from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.quantity import counted
from saih.domain.study import StudyPlan, Validation, subject_id_of
from saih.domain.supply import FROM_DATA_FOLDER
from saih.domain.sweep import Sweep
from saih.launch.job_run import Options
from saih.planner.plan import PlannedPoint
from saih.reports.study_text import search_lines, validation_lines
from saih.store.structure import to_json
from saih.store.study_file import read_search, read_studies
from saih.store.sweep_folder import SweepFolder, record_definition
from workloads.catalog import workload

_WIDTH = 110
_GENERATION_SHARE = 0.5
"""Of the budget of a search, data may take so much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked of ``saih validate`` or ``saih search``."""

    choice: Choice
    plan: StudyPlan
    asked: tuple[str, ...] = ()
    """Beginnings of ids of points; none for all."""
    is_again: bool = False
    is_json: bool = False


def validate_here(request: Request) -> int:
    """Study every problem that was not yet, then tell of all; gives the exit code."""
    sweep, points = _sweep_and_points(request)
    chosen = _chosen(request, sweep, points)
    folder = SweepFolder(request.choice.results_folder, sweep.name)
    plan = _dated(request)
    known = read_studies(folder)[0].validations
    left = [one for one in chosen if not _is_known(known.get(subject_id_of(one.point)), plan)]
    if left:
        say(f"{sweep.name}: {counted(len(left), 'problem')} to study, {plan.budget_s:g} s each")
        run_for(_real(left), "validate", sweep, request.choice, Options(seed=sweep.seed, study=plan))
    studies, damages = read_studies(folder)
    known = studies.validations
    for damage in damages:
        say(f"{damage.problem} {damage.remedy}")
    found = [(one, known.get(subject_id_of(one.point))) for one in chosen]
    if request.is_json:
        give_json("validate", {"sweep": sweep.name, "problems": [_as_json(*pair) for pair in found]})
    else:
        labelled = [(_words(one), validation) for one, validation in found if validation is not None]
        give("\n".join(validation_lines(labelled, _WIDTH)))
    missing = sum(validation is None for _, validation in found)
    if missing:
        say(f"{counted(missing, 'problem')} could not be studied; the same command tries again")
    has_failed = any(one is not None and one.findings.verdict == "failed" for _, one in found)
    return 1 if missing or has_failed else 0


def search_here(request: Request) -> int:
    """Search over all problems of a sweep, then tell what was found; gives the exit code."""
    sweep, points = _sweep_and_points(request)
    folder = SweepFolder(request.choice.results_folder, sweep.name)
    plan = _dated(request)
    record_definition(folder, define(sweep))  # what was found for another definition is refused
    found = read_search(folder) if not request.is_again else None
    if found is not None and (found.plan.seed, found.plan.budget_s) != (plan.seed, plan.budget_s):
        say(
            f"found before, with seed {found.plan.seed} and a budget of {found.plan.budget_s:g} s; "
            "--again searches with yours"
        )
    if found is None:
        _require_optuna()
        chosen = _on_most_ranks(_of_one_data_set(points, plan.budget_s))
        data = chosen[0].labels.get("data", "one data set")
        say(f"{sweep.name}: {counted(len(chosen), 'cost')} on {data}, about {plan.budget_s:g} s")
        options = Options(seed=sweep.seed, study=plan)
        run_for(_real(chosen[:1]), "generate", sweep, request.choice, options)
        run_for(_real(chosen), "search", sweep, request.choice, options)
        found = read_search(folder)
    if request.is_json:
        give_json("search", {"sweep": sweep.name, "search": None if found is None else to_json(found)})
    elif found is not None:
        give("\n".join(search_lines(found, _WIDTH)))
    return 1 if found is None else 0


def _real(points: Sequence[PlannedPoint]) -> list[PlannedPoint]:
    """The same problems with their data sets: nothing can be learnt from synthetic samples."""
    return [replace(one, point=replace(one.point, supply=FROM_DATA_FOLDER)) for one in points]


def _require_optuna() -> None:
    if find_spec("optuna") is None:
        raise EnvironmentMissing(
            "the package optuna, which searches, is not installed", "pip install 'saih[search]'."
        )


def _sweep_and_points(request: Request) -> tuple[Sweep, list[PlannedPoint]]:
    """The sweep, and for each problem its point with the most ranks.

    Raises:
        UsageError: for a sweep that learns nothing, or has no point.
    """
    sweep = read_choice(request.choice)
    if not workload(sweep.workload).activity.has_gradients:
        raise UsageError(
            f"{sweep.workload} learns nothing, so there is nothing to study", "name a sweep that trains."
        )
    plan = plan_here(sweep, request.choice.data_folder)
    require_points(sweep, plan)
    return sweep, _once(plan.points)


def _once(points: Sequence[PlannedPoint]) -> list[PlannedPoint]:
    most: dict[str, PlannedPoint] = {}
    for one in points:
        subject_id = subject_id_of(one.point)
        before = most.get(subject_id)
        if before is None or before.point.placement.num_ranks < one.point.placement.num_ranks:
            most[subject_id] = one
    return list(most.values())


def _of_one_data_set(points: Sequence[PlannedPoint], budget_s: float) -> list[PlannedPoint]:
    """Models are held against each other on the same data: the largest that a part of the budget can make."""

    def merit(one: PlannedPoint) -> tuple[bool, int]:
        core_s = one.cost.dataset_core_s / one.point.placement.num_ranks
        is_affordable = core_s <= _GENERATION_SHARE * budget_s
        return is_affordable, one.cost.dataset_bytes if is_affordable else -one.cost.dataset_bytes

    data = max(points, key=merit).point.problem.data
    return [one for one in points if one.point.problem.data == data]


def _on_most_ranks(points: Sequence[PlannedPoint]) -> list[PlannedPoint]:
    """One search is one job: all problems are told to the ranks of the largest placement."""
    placement = max((one.point.placement for one in points), key=lambda placement: placement.num_ranks)
    return [replace(one, point=replace(one.point, placement=placement)) for one in points]


def _chosen(request: Request, sweep: Sweep, points: Sequence[PlannedPoint]) -> list[PlannedPoint]:
    for asked in request.asked:
        if not asked or not any(one.point.point_id.startswith(asked) for one in points):
            raise UsageError(
                f"no problem of {sweep.name} has a point that begins with {asked!r}",
                f"use {', '.join(one.point.point_id for one in points[:5])}{' ...' if points[5:] else ''}.",
            )
    if not request.asked:
        return list(points)
    return [one for one in points if one.point.point_id.startswith(request.asked)]


def _dated(request: Request) -> StudyPlan:
    if not request.is_again:
        return request.plan
    return replace(request.plan, since_utc=datetime.now(UTC).isoformat(timespec="microseconds"))


def _is_known(validation: Validation | None, plan: StudyPlan) -> bool:
    return validation is not None and validation.finished_utc >= plan.since_utc


def _words(one: PlannedPoint) -> str:
    return ", ".join(label for axis, label in one.labels.items() if axis not in ("ranks", "placement"))


def _as_json(one: PlannedPoint, validation: Validation | None) -> dict[str, object]:
    return {
        "point_id": one.point.point_id,
        "labels": dict(one.labels),
        "verdict": "not run" if validation is None else validation.findings.verdict,
        "validation": None if validation is None else to_json(validation),
    }
