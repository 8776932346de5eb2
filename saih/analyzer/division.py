"""How far ranks can divide one model: what ends the lines along which they do."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from augment.problem import ProblemError
from saih.domain.errors import UsageError
from saih.domain.point import Placement, Point
from saih.domain.scaling import Grows, placed_on, rank_unit
from saih.domain.trend import PointSummary
from workloads.protocol import Cost, Workload


def grows_of(points: Sequence[PointSummary]) -> Grows:
    """What more ranks make along the points of a line: parts of one model where they differ, or replicas."""
    degrees = [point.point.placement.degrees for point in points]
    if len({one.tensor_parallel for one in degrees}) > 1:
        return "tensor"
    return "pipeline" if len({one.pipeline_parallel for one in degrees}) > 1 else "data"


def most_ranks(points: Sequence[PointSummary], find_workload: Callable[[str], Workload]) -> float:
    """Ranks of a line of which one more would have no part of the model; infinite where all have it whole."""
    point, grows = points[-1].point, grows_of(points)
    if grows == "data":
        return math.inf
    most = _cost(point, find_workload(point.workload), point.placement).most_degrees
    degree = most.tensor_parallel if grows == "tensor" else most.pipeline_parallel
    return float(degree * rank_unit(point.placement, grows))


def refusal(points: Sequence[PointSummary], point: Point, ranks: int, workload: Workload) -> str:
    """Why the model of a point of a line cannot be divided by so many ranks; empty where it can."""
    alone = replace(point.placement, nodes=point.placement.num_ranks, ranks_per_node=1)
    try:
        _cost(point, workload, placed_on(alone, ranks, grows_of(points)))
    except UsageError as error:
        return f"{error.problem}; {error.remedy.rstrip('.')}"
    except ProblemError as error:
        return f"{ranks} ranks cannot divide this model: {str(error).rstrip('.')}"
    return ""


def _cost(point: Point, workload: Workload, placement: Placement) -> Cost:
    return workload.cost(
        point.problem,
        batch_per_rank=point.batch_per_rank,
        precision=point.precision,
        degrees=placement.degrees,
    )
