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
