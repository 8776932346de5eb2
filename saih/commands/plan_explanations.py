"""What a workload says of how each point of a plan will be run."""

from collections.abc import Sequence

from saih.domain.point import Point
from saih.planner.plan import PlannedPoint
from saih.reports.terminal_text import wrapped
from workloads.catalog import workload
from workloads.explaining import ExplainingWorkload

MOST_TOLD = 30
"""More points are not explained one by one in a terminal."""


def explanation_of(point: Point) -> tuple[str, ...]:
    """Sentences on how ranks will share a point's problem, and why; none where only the run finds it out."""
    application = workload(point.workload)
    if not isinstance(application, ExplainingWorkload):
        return ()
    return application.explain(
        point.problem,
        batch_per_rank=point.batch_per_rank,
        precision=point.precision,
        degrees=point.placement.degrees,
    )


def explanation_lines(points: Sequence[PlannedPoint], width: int | None) -> list[str]:
    """The sentences of the first points that have some."""
    told = [(planned.point.point_id, explanation_of(planned.point)) for planned in points[:MOST_TOLD]]
    lines = [
        line
        for point_id, sentences in told
        if sentences
        for line in wrapped(f"{point_id}: {' '.join(sentences)}", width or 110, rest="  ")
    ]
    if not lines:
        return []
    more = len(points) - MOST_TOLD
    left = [f"... and {more} more points (--json explains all)"] if more > 0 else []
    return ["", "how devices will share the work:", *lines, *left]
