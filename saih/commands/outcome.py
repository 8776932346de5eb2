"""What became of the points of a sweep: counts, lines, and the next command."""

import shlex
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from saih.commands.adaptive_rest import next_of_adaptive
from saih.commands.overview import PointLine, dropped_lines
from saih.domain.bundle import Origin
from saih.planner.plan import Plan
from saih.store.bundle_origin import read_origin
from saih.store.point_state import PointState, PointStatus
from saih.store.sweep_folder import SweepFolder


def state_lines(
    plan: Plan, states: Mapping[str, PointState], *, is_going_on: bool = False
) -> tuple[PointLine, ...]:
    """What became of each point, and why; then the dropped ones."""
    return tuple(
        PointLine(
            point_id=planned.point.point_id,
            labels=planned.labels,
            state=_status(state),
            why=_why(state, is_going_on=is_going_on),
            num_attempts=state.num_attempts,
            is_done=state.status is PointStatus.COMPLETED,
        )
        for planned in plan.points
        for state in (states[planned.point.point_id],)
    ) + dropped_lines(plan)


def states_json(plan: Plan, states: Mapping[str, PointState]) -> dict[str, Any]:
    """The points as JSON values."""
    return {
        "counts": counts(plan, states),
        "points": [
            {
                "point_id": planned.point.point_id,
                "labels": dict(planned.labels),
                "status": str(states[planned.point.point_id].status),
                "outcome": states[planned.point.point_id].outcome,
                "reason": states[planned.point.point_id].reason,
                "num_attempts": states[planned.point.point_id].num_attempts,
            }
            for planned in plan.points
        ],
        "dropped": [
            {
                "point_id": dropped.point.point_id,
                "labels": dict(dropped.labels),
                "reason": dropped.reason,
            }
            for dropped in plan.dropped
        ],
    }


def counts(plan: Plan, states: Mapping[str, PointState]) -> dict[str, int]:
    """How many points are in each state; those that are not there are left out."""
    found = Counter(str(states[planned.point.point_id].status) for planned in plan.points)
    return {**found, **({"dropped": len(plan.dropped)} if plan.dropped else {})}


def next_command(
    folder: SweepFolder, states: Mapping[str, PointState], live_points: Collection[str] = ()
) -> str:
    """What to do next with the sweep, of which jobs may still work on ``live_points``."""
    where = where_option(folder)
    if read_origin(folder) is not None:  # nothing is measured into it
        return f"saih report {folder.name}{where}"
    left = [point_id for point_id, state in states.items() if state.is_to_be_measured]
    if left and all(point_id in live_points for point_id in left):
        return f"saih sweep {folder.name} --wait{where}"
    if left:
        return next_of_adaptive(folder, where) or f"saih sweep {folder.name}{where}"
    if any(state.status is PointStatus.FAILED for state in states.values()):
        return f"saih sweep {folder.name} --retry-failed{where}"
    return f"saih report {folder.name}{where}"


def origin_json(origin: Origin | None) -> dict[str, Any] | None:
    """Where a sweep was imported from, as JSON values; None for one that is measured here."""
    return None if origin is None else {**asdict(origin), "is_signed": False}


def where_option(folder: SweepFolder) -> str:
    """The option that a command needs to find the folder; empty in the usual place."""
    return "" if str(folder.root) == "results" else f" --results {shlex.quote(str(folder.root))}"


def _status(state: PointState) -> str:
    if state.status is PointStatus.FAILED and state.outcome is not None:
        return str(state.outcome).replace("_", " ")
    return str(state.status)


def _why(state: PointState, *, is_going_on: bool) -> str:
    if state.reason:
        return state.reason
    if state.status is not PointStatus.PENDING:
        return ""
    if not state.num_attempts:
        return "not measured yet"
    return "begun: now, or stopped early" if is_going_on else "begun, and stopped before its end"
