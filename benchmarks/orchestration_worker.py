"""The ranks of ``benchmarks.orchestration``: the worker of SAIH with an application that computes nothing."""

import sys
from pathlib import Path
from typing import Any

from mpi4py import MPI

from augment.problem import Problem
from saih.harness.job_run import run_job
from saih.harness.lifeline import die_with_parent
from saih.store.job_file import read_job
from workloads.means import ALONE, Means
from workloads.protocol import Mark, Progress, Session, Surroundings


class TrivialJob:
    """Nothing to generate, and steps that do nothing."""

    def generate(
        self,
        problem: Problem,
        data_folder: Path,
        rank: int,
        num_ranks: int,
        progress: Progress,
        means: Means = ALONE,
    ) -> None:
        """There are no data."""

    def seal(self, problem: Problem, data_folder: Path) -> None:
        """There is nothing to seal."""

    def prepare(self, problem: Problem, surroundings: Surroundings) -> Session[Any]:
        """A session that is ready at once."""
        return TrivialSession()


class TrivialSession:
    """Steps without work."""

    def produce(self, step: int) -> int:
        """Nothing but the step's number."""
        return step

    def step(self, batch: int, mark: Mark) -> float:
        """All phases, each of them empty."""
        mark("forward")
        mark("backward")
        mark("optimizer")
        return 0.0

    def close(self) -> None:
        """Nothing is open."""


if __name__ == "__main__":
    die_with_parent()
    run_job(read_job(Path(sys.argv[1])), {"trivial": TrivialJob()}, MPI.COMM_WORLD)
