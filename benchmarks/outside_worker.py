"""The ranks of ``benchmarks.outside``: CosmoFlow as it is, on which something acts from outside.

Each rank enters a network namespace and, for the runs that ask for it, a control group. Batches are read from
the disk in every run, so that runs on a throttled disk do nothing that others do not.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mpi4py import MPI

from augment.problem import Problem
from benchmarks import outside_groups, outside_network
from benchmarks.outside_causes import Measure, Outside, Places, read_measure, read_places
from saih.harness.job_run import run_job
from saih.harness.lifeline import die_with_parent
from saih.machine import process_group
from saih.store.job_file import read_job
from workloads.cosmoflow.training import CosmoFlowJob
from workloads.means import ALONE, Means
from workloads.protocol import Mark, Progress, Session, Surroundings

_FREE = float("inf")
_BUSY = "while True: pass"


class ActedOnJob:
    """CosmoFlow's side, with something acting on its sessions."""

    def __init__(self, places: Places) -> None:
        self._sound = CosmoFlowJob()
        self._places = places

    def generate(
        self,
        problem: Problem,
        data_folder: Path,
        rank: int,
        num_ranks: int,
        progress: Progress,
        means: Means = ALONE,
    ) -> None:
        """As CosmoFlow."""
        self._sound.generate(problem, data_folder, rank, num_ranks, progress)

    def seal(self, problem: Problem, data_folder: Path) -> None:
        """As CosmoFlow."""
        self._sound.seal(problem, data_folder)

    def prepare(self, problem: Problem, surroundings: Surroundings) -> Session[Any]:
        """CosmoFlow's session, while something acts on it."""
        session = self._sound.prepare(problem, surroundings)
        measure = read_measure(surroundings.data_folder, surroundings.seed)
        stack = ExitStack()
        if measure is not None:
            stack.enter_context(_acting(measure, self._places, surroundings.rank))
        return ActedOnSession(session, _files(surroundings.data_folder), stack)


class ActedOnSession:
    """A session that reads from the disk, not from the page cache."""

    def __init__(self, sound: Session[Any], files: Sequence[int], acting: ExitStack) -> None:
        self._sound = sound
        self._files = files
        self._acting = acting

    def produce(self, step: int) -> Any:  # Any: whatever the sound session makes
        """One batch."""
        for file in self._files:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        return self._sound.produce(step)

    def step(self, batch: Any, mark: Mark) -> Any:  # Any: as the protocol has it
        """One step."""
        return self._sound.step(batch, mark)

    def close(self) -> None:
        """As the sound session; nothing acts on it any more."""
        self._acting.close()
        self._sound.close()
        for file in self._files:
            os.close(file)


def _files(data_folder: Path) -> list[int]:
    return [os.open(path, os.O_RDONLY) for path in sorted(data_folder.rglob("*.h5"))]


def _acting(measure: Measure, places: Places, rank: int) -> "_Acting":
    means: dict[Outside, Callable[[float, Places, int], _Acting]] = {
        Outside.NETWORK: _slow_link,
        Outside.STORAGE: _slow_disk,
        Outside.QUOTA: _quota,
        Outside.HOG: _neighbours,
    }
    return means[measure.cause](measure.amount, places, rank)


_Acting = Any  # Any: contextlib's own type, which is private


@contextmanager
def _slow_link(bytes_per_s: float, places: Places, rank: int) -> Iterator[None]:
    outside_network.throttle(bytes_per_s)
    try:
        yield
    finally:
        outside_network.throttle(_FREE)


@contextmanager
def _slow_disk(bytes_per_s: float, places: Places, rank: int) -> Iterator[None]:
    group = places.groups["io"]
    outside_groups.limit_reading(group, places.device, bytes_per_s)
    with _inside(group):
        yield


@contextmanager
def _quota(num_processors: float, places: Places, rank: int) -> Iterator[None]:
    group = places.groups["cpu"]
    outside_groups.limit_processors(group, num_processors)
    with _inside(group):
        yield


@contextmanager
def _inside(group: str) -> Iterator[None]:
    outside_groups.enter(group)
    try:
        yield
    finally:
        outside_groups.enter(str(Path(group).parent))


@contextmanager
def _neighbours(number: float, places: Places, rank: int) -> Iterator[None]:
    """On the first rank; they die with it."""
    tied = [sys.executable, "-m", "saih.launch.tether", str(int(signal.SIGKILL)), str(os.getpid())]
    busy = [*tied, sys.executable, "-c", _BUSY]
    processes = [subprocess.Popen(busy) for _ in range(round(number) if rank == 0 else 0)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main(job_path: Path) -> None:
    """Do the job in the rank's own namespace."""
    die_with_parent()
    job = read_job(job_path)
    places = read_places(Path(job.data_folder))
    if places.keepers:
        outside_network.enter_namespace(places.keepers[MPI.COMM_WORLD.rank])
        os.environ["GLOO_SOCKET_IFNAME"] = outside_network.LINK
        # Ranks of one host meet on the loopback, of which each namespace has its own.
        process_group.LOOPBACK = outside_network.ADDRESSES[0]
    run_job(job, {"cosmoflow": ActedOnJob(places)}, MPI.COMM_WORLD)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
