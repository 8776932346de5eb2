"""A point whose data set is staged, and where it runs."""

from augment.problem import Problem, Shape
from saih.domain.point import Placement, Point, Timing
from saih.domain.supply import Supply

PROBLEM = Problem(
    data=Shape.of(samples=8, resolution=8, channels=1, universes=4, steps=4, force_mesh=1),
    model=Shape.of(depth=1, width=4),
)


def placement_of(num_ranks: int, num_hosts: int) -> Placement:
    return Placement(nodes=num_hosts, ranks_per_node=num_ranks // num_hosts, data_parallel=num_ranks)


def asked(placement: Placement, timing: Timing | None = None, problem: Problem = PROBLEM) -> Point:
    return Point(
        workload="cosmoflow",
        problem=problem,
        batch_per_rank=1,
        precision="float32",
        exchange="ddp" if placement.num_ranks > 1 else "none",
        placement=placement,
        timing=timing or Timing(),
        seed=1,
        supply=Supply(staging="node"),
    )
