"""What would let a point fit that has too little memory: ways its workload knows, with what they need."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from augment.problem import ProblemError
from saih.domain.limits import Limits
from saih.domain.point import Placement, Point
from saih.planner.limits import has_room, in_bytes
from workloads.protocol import Cost, Degrees, Workload
from workloads.saving import Saving, SavingWorkload

CostOf = Callable[[Point], Cost]


def ways_to_fit(point: Point, application: Workload, limits: Limits, cost_of: CostOf) -> str:
    """A sentence that names the least change of each way in which ``point`` fits; empty where none is known.

    ``cost_of`` raises a ProblemError for a point that cannot be built or divided.
    """
    if not isinstance(application, SavingWorkload):
        return ""
    found = list(_fitting(point, application, limits, cost_of))
    if not found:
        return ""
    return f" It fits with {', or with '.join(found)}."


def _fitting(point: Point, application: SavingWorkload, limits: Limits, cost_of: CostOf) -> Iterator[str]:
    """The first saving of each way that fits; two ways together only where none does alone."""
    told: set[tuple[bool, bool]] = set()
    for saving in application.savings(point.problem, degrees=point.placement.degrees):
        way = (saving.problem != point.problem, saving.degrees != point.placement.degrees)
        if way in told or (saving.is_combined and told):
            continue
        placement = _placed(point.placement, saving.degrees, limits)
        if placement is None:
            continue
        try:
            cost = cost_of(replace(point, problem=saving.problem, placement=placement))
        except ProblemError:
            continue
        if not has_room(placement, cost, limits):
            continue
        told.add(way)
        yield _words(saving, placement, point.placement, cost)


def _words(saving: Saving, placement: Placement, before: Placement, cost: Cost) -> str:
    moved = "" if placement.num_ranks == before.num_ranks else f" on {placement.seats_label}"
    needed = in_bytes(cost.tensor_bytes(placement.device))
    return f"{saving.words}{moved} ({needed} of tensors on each rank)"


def _placed(base: Placement, degrees: Degrees, limits: Limits) -> Placement | None:
    """Ranks that share samples so: those of ``base`` where they make whole replicas, else more of them.

    More ranks take the GPUs that a node has left, then more nodes: on a CPU, whose ranks share the memory of
    their node, more ranks of one node have no more of it.
    """
    size, nodes, per_node = degrees.num_ranks, base.nodes, base.ranks_per_node
    if base.num_ranks % size == 0:
        return _divided(base, degrees, nodes, per_node)
    if base.device == "cuda" and limits.gpus_per_node is not None:
        per_node = max(per_node, min(size, limits.gpus_per_node // base.gpus_per_rank))
    if size % per_node:
        return None
    return _divided(base, degrees, size // per_node, per_node)


def _divided(base: Placement, degrees: Degrees, nodes: int, ranks_per_node: int) -> Placement:
    return replace(
        base,
        nodes=nodes,
        ranks_per_node=ranks_per_node,
        data_parallel=nodes * ranks_per_node // degrees.num_ranks,
        tensor_parallel=degrees.tensor_parallel,
        pipeline_parallel=degrees.pipeline_parallel,
        spatial_parallel=degrees.spatial_parallel,
    )
