"""A point measured on all ranks with the counters of a tree: ``python -m mpi4py energy_ranks.py FOLDER``.

Each step of rank 0 uses energy of the node; what the record says of it is printed as JSON.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from mpi4py import MPI
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[2]))

from augment.problem import Problem, Shape
from saih.domain.point import Placement, Point, Timing
from saih.harness.point_run import Setting, run_point
from saih.harness.ranks import take_seats
from saih.harness.sentinel import Sentinel
from saih.machine.energy import find_counters
from tests.machine.powercap import TWO_SOCKETS, PowerCap
from workloads.means import ALONE, Means
from workloads.protocol import Mark, Progress, Session, Surroundings

STEP_J = 1.5


class ConsumingJob:
    def generate(
        self,
        problem: Problem,
        data_folder: Path,
        rank: int,
        num_ranks: int,
        progress: Progress,
        means: Means = ALONE,
    ) -> None:
        """Nothing to make."""

    def seal(self, problem: Problem, data_folder: Path) -> None:
        """Nothing to seal."""

    def prepare(self, problem: Problem, surroundings: Surroundings) -> Session[Any]:
        return ConsumingSession(TREE)


class ConsumingSession:
    def __init__(self, tree: PowerCap | None) -> None:
        self.tree = tree

    def produce(self, step: int) -> Tensor:
        return torch.full((4,), float(step))

    def step(self, batch: Tensor, mark: Mark) -> Tensor:
        if self.tree is not None:
            for zone in ("intel-rapl:0", "intel-rapl:1"):
                self.tree.advance(zone, STEP_J / 2)
        for _ in range(400):
            batch = torch.sin(batch)
        mark("forward")
        return batch.mean()

    def close(self) -> None:
        """Nothing to close."""


if __name__ == "__main__":
    world, folder = MPI.COMM_WORLD, Path(sys.argv[1])
    torch.set_num_threads(1)
    TREE = PowerCap(folder, TWO_SOCKETS).with_cpus(2, 4) if world.rank == 0 else None
    world.Barrier()
    placement = Placement(ranks_per_node=world.size, data_parallel=world.size)
    ranks = take_seats(world, placement)
    point = Point(
        workload="consuming",
        problem=Problem(data=Shape.of(size=1), model=Shape.of(size=1)),
        batch_per_rank=1,
        precision="float32",
        exchange="none",
        placement=placement,
        timing=Timing(warmup_steps=2, min_steps=300, max_steps=600, relative_width=0.0),
        seed=1,
    )
    with Sentinel(world, 60.0, last_words=lambda ending: None) as sentinel:
        counters = find_counters(is_first_on_node=world.rank == 0, device_uuid=None, system=folder)
        setting = Setting(
            ranks=ranks, data_folder=folder, sentinel=sentinel, watchdog_s=60.0, counters=counters
        )
        result = run_point(point, ConsumingJob(), setting)
    if world.rank == 0:
        num_steps = result.steps.num_steps if result.steps else 0
        print(json.dumps({"num_steps": num_steps, "notes": dict(result.notes)}), flush=True)  # noqa: T201
