"""What an adaptive sweep left out on purpose, as points that are dropped for that reason."""

from collections.abc import Collection

from saih.domain.errors import DamagedData
from saih.domain.quantity import percent
from saih.domain.sweep import DroppedPoint
from saih.planner.plan import Plan
from saih.store.adaptive_file import read_adaptive
from saih.store.sweep_folder import SweepFolder


def left_out(
    folder: SweepFolder, plan: Plan, tried: Collection[str]
) -> tuple[tuple[DroppedPoint, ...], tuple[DamagedData, ...]]:
    """Points of the grid that were not needed; and why that cannot be told, where it cannot."""
    try:
        adaptive = read_adaptive(folder)
    except DamagedData as error:
        return (), (error,)
    if adaptive is None or not adaptive.is_over:
        return (), ()
    asked = percent(adaptive.asked.precision)
    reason = f"not measured: not needed (adaptive sweep for {asked}: {adaptive.reason})"
    points = tuple(
        DroppedPoint(point=one.point, labels=one.labels, reason=reason)
        for one in plan.points
        if one.point.point_id not in tried
    )
    return points, ()


def next_of_adaptive(folder: SweepFolder, where: str) -> str:
    """What to do next with an adaptive sweep; empty for a sweep whose whole grid is measured."""
    try:
        adaptive = read_adaptive(folder)
    except DamagedData:
        return ""
    if adaptive is None:
        return ""
    if adaptive.is_over:
        return f"saih report {folder.name}{where}"
    asked = adaptive.asked
    budget = "" if asked.budget_node_s is None else f" --budget '{asked.budget_node_s:g} node-s'"
    return f"saih sweep {folder.name} --adaptive --precision {100 * asked.precision:g}%{budget}{where}"


def adaptive_words(folder: SweepFolder) -> str:
    """What a reader of the states of an adaptive sweep must know; empty for other sweeps."""
    try:
        adaptive = read_adaptive(folder)
    except DamagedData as error:
        return f"{error.problem} {error.remedy}"
    if adaptive is None:
        return ""
    if not adaptive.is_over:
        return "adaptive sweep: pending points are measured only as far as they are needed"
    return (
        f"adaptive sweep: {adaptive.reason}; pending points were not needed, and `saih sweep {folder.name}` "
        "measures them all"
    )
