"""How far ranks can divide one model or its samples: what ends the lines along which they do."""

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
    """What more ranks make along a line: parts of one model or sample where those differ, or replicas."""
    degrees = [point.point.placement.degrees for point in points]
    if len({one.tensor_parallel for one in degrees}) > 1:
        return "tensor"
    if len({one.spatial_parallel for one in degrees}) > 1:
        return "spatial"
    return "pipeline" if len({one.pipeline_parallel for one in degrees}) > 1 else "data"


def most_ranks(points: Sequence[PointSummary], find_workload: Callable[[str], Workload]) -> float:
    """Ranks of a line of which one more would have no part of what is divided; infinite where nothing is."""
    point, grows = points[-1].point, grows_of(points)
    if grows == "data":
        return math.inf
    most = _cost(point, find_workload(point.workload), point.placement).most_degrees
    degrees = {
        "tensor": most.tensor_parallel,
        "pipeline": most.pipeline_parallel,
        "spatial": most.spatial_parallel,
    }
    return float(degrees[grows] * rank_unit(point.placement, grows))


def refusal(points: Sequence[PointSummary], point: Point, ranks: int, workload: Workload) -> str:
    """Why a point of a line cannot be divided by so many ranks; empty where it can."""
    alone = replace(point.placement, nodes=point.placement.num_ranks, ranks_per_node=1)
    try:
        _cost(point, workload, placed_on(alone, ranks, grows_of(points)))
    except UsageError as error:
        return f"{error.problem}; {error.remedy.rstrip('.')}"
    except ProblemError as error:
        divided = "its samples" if grows_of(points) == "spatial" else "this model"
        return f"{ranks} ranks cannot divide {divided}: {str(error).rstrip('.')}"
    return ""


def _cost(point: Point, workload: Workload, placement: Placement) -> Cost:
    return workload.cost(
        point.problem,
        batch_per_rank=point.batch_per_rank,
        precision=point.precision,
        degrees=placement.degrees,
    )
