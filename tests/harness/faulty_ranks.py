"""A job whose workload fails as asked: ``python -m mpi4py faulty_ranks.py FOLDER WATCHDOG_S FAULT...``.

Each fault is a point of its own; a fault strikes rank 1 (the last one) unless its name says otherwise.
"""

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mpi4py import MPI
from torch import Tensor, nn

from augment.problem import Problem, Shape
from saih.domain.job import Job
from saih.domain.point import Placement, Point, Timing
from saih.harness.job_run import run_job
from workloads.means import ALONE, Means
from workloads.protocol import Mark, Progress, Session, Surroundings

FATAL_STEP = 5
SWEEP = "faults"


class FaultyJob:
    """A linear fit that fails as its problem says."""

    def generate(
        self,
        problem: Problem,
        data_folder: Path,
        rank: int,
        num_ranks: int,
        progress: Progress,
        means: Means = ALONE,
    ) -> None:
        (data_folder / f"part-{rank}").write_text(str(num_ranks))
        progress(f"part {rank} of {num_ranks}")
        if problem.data["fault"] == "generate" and rank == num_ranks - 1:
            raise OSError("no space left")

    def seal(self, problem: Problem, data_folder: Path) -> None:
        parts = len(list(data_folder.glob("part-*")))
        (data_folder / "sealed").write_text(str(parts))

    def prepare(self, problem: Problem, surroundings: Surroundings) -> Session[Any]:
        fault = str(problem.data["fault"])
        is_last = surroundings.rank == surroundings.num_ranks - 1
        if fault == "prepare" and is_last:
            strike(surroundings.data_folder)
            raise ValueError("the model cannot be built")
        return FaultySession(fault if is_last or fault.endswith("everywhere") else "none", surroundings)


class FaultySession:
    def __init__(self, fault: str, surroundings: Surroundings) -> None:
        self.fault, self.data_folder = fault, surroundings.data_folder
        model = nn.Linear(16, 1, bias=False)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        self.model = surroundings.exchange.attach(model)
        self.num_steps = 0

    def produce(self, step: int) -> Tensor:
        if self.fault == "produce" and step == FATAL_STEP:
            strike(self.data_folder)
            raise OSError("the file is gone")
        return torch.ones(4, 16)

    def step(self, batch: Tensor, mark: Mark) -> Tensor:
        self.num_steps += 1
        if self.num_steps == FATAL_STEP and self.fault in FAULTS:
            strike(self.data_folder)
            FAULTS[self.fault]()
        loss = (self.model(batch) - 1.0).square().mean()
        mark("forward")
        loss.backward()
        mark("backward")
        self.optimizer.step()
        self.optimizer.zero_grad()
        mark("optimizer")
        is_bad = self.fault == "nan" and self.num_steps == FATAL_STEP
        return loss.detach() * (math.nan if is_bad else 1.0)

    def close(self) -> None:
        self.num_steps = -1


def strike(folder: Path) -> None:
    """Keep the moment of the fault."""
    (folder / "struck").write_text(str(time.time()))


def raise_error() -> None:
    raise ValueError("a fault was asked for")


def take_all_memory() -> None:
    torch.empty(2**60, dtype=torch.uint8)


def hang() -> None:
    time.sleep(600)


def leave() -> None:
    sys.exit(0)


def vanish() -> None:
    os._exit(0)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


FAULTS: Mapping[str, Callable[[], None]] = {
    "step": raise_error,
    "step_everywhere": raise_error,
    "memory": take_all_memory,
    "memory_everywhere": take_all_memory,
    "hang": hang,
    "leave": leave,
    "vanish": vanish,
    "stop": stop,
}


def make_job(folder: Path, watchdog_s: float, task: str, faults: list[str]) -> Job:
    num_ranks = MPI.COMM_WORLD.size
    placement = Placement(ranks_per_node=num_ranks, data_parallel=num_ranks)
    points = tuple(
        Point(
            workload="faulty",
            problem=Problem(data=Shape.of(fault=fault), model=Shape.of(order=order)),
            batch_per_rank=4,
            precision="float32",
            exchange="ddp",
            placement=placement,
            timing=Timing(warmup_steps=2, min_steps=10, max_steps=20),
            seed=1,
        )
        for order, fault in enumerate(faults, start=1)
    )
    return Job(
        task=task,  # type: ignore[arg-type]  # from the command line
        sweep_name=SWEEP,
        results_folder=str(folder / "results"),
        data_folder=str(folder),
        placement=placement,
        points=points,
        watchdog_s=watchdog_s,
    )


if __name__ == "__main__":
    job = make_job(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:])
    run_job(job, {"faulty": FaultyJob()}, MPI.COMM_WORLD)
