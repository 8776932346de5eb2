"""Points and the environment of the tiny worker; plain values, no MPI."""

from pathlib import Path

from augment.problem import Problem, Shape
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Environment, Phase, Steps

ENVIRONMENT = Environment(facts={"machine": "test"}, notes={}, environment_id="0123456789abcdef")
NUM_STEPS = 4


def tiny_point(width: int, fault: str = "none", duration_s: float = 0.0, nodes: int = 1) -> Point:
    """A point on two ranks; ``fault`` says how it ends, so that no other channel into the job is needed."""
    model = Shape.of(width=width, fault=fault, duration_s=duration_s)
    return Point(
        workload="tiny",
        problem=Problem(data=Shape.of(resolution=1), model=model),
        batch_per_rank=1,
        precision="float32",
        exchange="none",
        placement=Placement(nodes=nodes, ranks_per_node=2 // nodes, data_parallel=2),
        timing=Timing(),
        seed=7,
    )


def steps_of(point: Point) -> Steps:
    """Durations and losses that follow from the point alone."""
    base = 1000 * int(point.problem.model["width"])
    rows = tuple(
        tuple(base + rank + step for step in range(NUM_STEPS)) for rank in range(point.placement.num_ranks)
    )
    losses = tuple(point.seed / (base + step) for step in range(NUM_STEPS + 1))
    return Steps(duration_ns={Phase.FORWARD: rows}, step_ns=rows, losses=losses, warmup_steps=1)


def processes_naming(text: str) -> list[str]:
    """Command lines of living processes (zombies have none) that contain ``text``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in command:
            found.append(f"{path.parent.name}: {command}")
    return found
