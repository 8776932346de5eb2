"""How long the points that are left will take, by what the plan predicts."""

from collections.abc import Collection, Mapping

from saih.commands.progress import clock
from saih.launch.point_standing import PointStanding, Standing
from saih.planner.duration import predict
from saih.planner.plan import Plan, PlannedPoint

_MOST_PREDICTED = 400
"""Of more points, so many that are spread evenly stand for all."""


def time_left(plan: Plan, left: Collection[str], standings: Mapping[str, PointStanding]) -> str:
    """``about 4 min left, as planned`` for the points ``left``; batches go on beside each other."""
    batches: dict[int | None, list[PlannedPoint]] = {}
    for planned in plan.points:
        if planned.point.point_id in left:
            batches.setdefault(_batch(standings.get(planned.point.point_id)), []).append(planned)
    if not batches:
        return ""
    most = max(1, _MOST_PREDICTED // len(batches))
    longest = max(_predicted_s(points, most) for points in batches.values())
    waits = any(
        standings[point_id].standing is Standing.WAITING for point_id in left if point_id in standings
    )
    queue = "; time in the queue comes on top" if waits else ""
    return f"about {clock(longest)} of measuring left, as planned{queue}"


def _batch(standing: PointStanding | None) -> int | None:
    return None if standing is None else standing.batch


def _predicted_s(points: list[PlannedPoint], most: int) -> float:
    chosen = points[:: max(1, len(points) // most)]
    return sum(predict(one.point, one.cost) for one in chosen) * len(points) / len(chosen)
