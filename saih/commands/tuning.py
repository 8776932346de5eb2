"""Searches for the fastest executions of a sweep's points on this machine, and what they found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from saih.commands.choice import Choice
from saih.commands.selection import read_choice
from saih.commands.single_task import run_for
from saih.commands.stage import plan_here, require_points
from saih.commands.talk import give, give_json, say
from saih.domain.errors import DamagedData, UsageError
from saih.domain.quantity import counted
from saih.domain.sweep import Sweep
from saih.domain.tuning import Tuned, TuningPlan, tuned_id_of
from saih.launch.job_run import Options
from saih.machine.environment import capture
from saih.planner.plan import PlannedPoint
from saih.reports.tuning_text import tuning_lines
from saih.store.structure import to_json
from saih.store.tuned_file import read_tuned
from workloads.catalog import workload
from workloads.execution import TUNED
from workloads.tunable import Tunable

_WIDTH = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user asked of ``saih tune``."""

    choice: Choice
    plan: TuningPlan
    asked: tuple[str, ...] = ()
    """Beginnings of ids of points; none for all."""
    is_again: bool = False
    is_json: bool = False


def tune_here(request: Request) -> int:
    """Search every point that nobody searched, then tell of all; gives the exit code."""
    sweep = read_choice(request.choice)
    points = _points(request, sweep)
    plan, environment_id = _dated(request), capture().environment_id
    known = _known(request, points, environment_id)
    left = [one for one in points if not _answers(known.get(one.point.point_id), plan)]
    if left:
        say(f"{sweep.name}: {counted(len(left), 'point')} to search, about {plan.budget_s:g} s each")
        options = Options(seed=sweep.seed, tuning=plan)
        run_for(left, "generate", sweep, request.choice, options)
        run_for(left, "tune", sweep, request.choice, options)
        known = _known(request, points, environment_id)
    found = [(one, known.get(one.point.point_id)) for one in points]
    if request.is_json:
        give_json("tune", {"sweep": sweep.name, "points": [_as_json(*pair) for pair in found]})
    else:
        labelled = [(_words(one), tuned) for one, tuned in found if tuned is not None]
        give("\n".join(tuning_lines(labelled, _WIDTH)))
    missing = sum(tuned is None for _, tuned in found)
    if missing:
        say(f"{counted(missing, 'point')} could not be searched; the same command tries again")
    return 1 if missing else 0


def _points(request: Request, sweep: Sweep) -> list[PlannedPoint]:
    """One planned point for each question that is to be answered.

    Raises:
        UsageError: for a workload with one way to execute its steps, or a sweep without such a point.
    """
    if not isinstance(workload(sweep.workload), Tunable):
        raise UsageError(
            f"{sweep.workload} has one way to execute its steps, so there is nothing to tune",
            "name a sweep of cosmoflow.",
        )
    plan = plan_here(sweep, request.choice.data_folder)
    require_points(sweep, plan)
    asking = [one for one in plan.points if one.point.execution.is_searched]
    chosen = _chosen(request, sweep, asking or plan.points)
    searched = [one if asking else _tuned(one) for one in chosen]
    return list({tuned_id_of(one.point): one for one in reversed(searched)}.values())[::-1]


def _tuned(one: PlannedPoint) -> PlannedPoint:
    """The same point as if its sweep had asked for the fastest execution."""
    return replace(one, point=replace(one.point, execution=TUNED))


def _chosen(request: Request, sweep: Sweep, points: Sequence[PlannedPoint]) -> list[PlannedPoint]:
    for asked in request.asked:
        if not asked or not any(one.point.point_id.startswith(asked) for one in points):
            raise UsageError(
                f"no point of {sweep.name} that can be searched begins with {asked!r}",
                f"use {', '.join(one.point.point_id for one in points[:5])}{' ...' if points[5:] else ''}.",
            )
    if not request.asked:
        return list(points)
    return [one for one in points if one.point.point_id.startswith(request.asked)]


def _dated(request: Request) -> TuningPlan:
    if not request.is_again:
        return request.plan
    return replace(request.plan, since_utc=datetime.now(UTC).isoformat(timespec="microseconds"))


def _known(request: Request, points: Sequence[PlannedPoint], environment_id: str) -> Mapping[str, Tuned]:
    """What was found, by the id of each point; damaged files are told and passed over."""
    found: dict[str, Tuned] = {}
    for one in points:
        try:
            tuned = read_tuned(request.choice.results_folder, environment_id, one.point)
        except DamagedData as error:
            say(f"{error.problem} It is searched again.")
            continue
        if tuned is not None:
            found[one.point.point_id] = tuned
    return found


def _answers(tuned: Tuned | None, plan: TuningPlan) -> bool:
    return tuned is not None and tuned.answers(plan)


def _words(one: PlannedPoint) -> str:
    return ", ".join(label for axis, label in one.labels.items() if axis not in ("placement", "execution"))


def _as_json(one: PlannedPoint, tuned: Tuned | None) -> dict[str, object]:
    return {
        "point_id": one.point.point_id,
        "labels": dict(one.labels),
        "tuned": None if tuned is None else to_json(tuned),
    }
