"""What every rank stands on: CPUs, threads, MPI library, job. Checked before anything is timed."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from saih.domain.errors import EnvironmentMissing
from saih.domain.job import Job
from saih.domain.point import Placement
from saih.harness.mpi_library import mpi_name
from saih.harness.ranks import Ranks, host_name
from saih.machine.messages import broadcast, gather
from saih.store.codec import encode_job


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What one rank stands on."""

    host: str
    cpus: tuple[int, ...]
    """Numbers of the CPUs that it may run on; only their count matters unless ranks are bound."""
    num_threads: int
    """Of torch."""
    mpi_library: str
    job_sha256: str
    """Of the job as this rank read it."""


def require_footing(job: Job, ranks: Ranks) -> None:
    """Do nothing when every rank has what the placement promises; every rank of the job calls it.

    Raises:
        EnvironmentMissing: on every rank otherwise, with the rank, its host, and what to do.
    """
    own = Footing(
        host=host_name(),
        cpus=tuple(sorted(os.sched_getaffinity(0))),
        num_threads=torch.get_num_threads(),
        mpi_library=mpi_name(),
        job_sha256=hashlib.sha256(encode_job(job)).hexdigest(),
    )
    messages = gather(ranks.comm, asdict(own))
    told = broadcast(ranks.comm, None if messages is None else _verdict(messages, job.placement))
    if told["problem"]:
        raise EnvironmentMissing(told["problem"], told["remedy"])


def check_footings(footings: Sequence[Footing], placement: Placement) -> None:
    """Do nothing when the gathered footings, by rank, are those that the placement promises.

    Raises:
        EnvironmentMissing: otherwise, naming the first rank that differs.
    """
    _check_libraries(footings)
    _check_jobs(footings)
    _check_threads(footings, placement)
    if placement.binding == "core":
        _check_disjoint(footings)


def _verdict(messages: Sequence[Mapping[str, Any]], placement: Placement) -> Mapping[str, str]:
    try:
        check_footings([Footing(**{**one, "cpus": tuple(one["cpus"])}) for one in messages], placement)
    except EnvironmentMissing as error:
        return {"problem": error.problem, "remedy": error.remedy}
    return {"problem": "", "remedy": ""}


def _check_libraries(footings: Sequence[Footing]) -> None:
    for rank, one in enumerate(footings):
        if one.mpi_library != footings[0].mpi_library:
            raise EnvironmentMissing(
                f"rank 0 on {footings[0].host} uses {footings[0].mpi_library}, but rank {rank} on {one.host} "
                f"uses {one.mpi_library}",
                "give all nodes the same MPI: load it by modules in the site file, or use a container.",
            )


def _check_jobs(footings: Sequence[Footing]) -> None:
    for rank, one in enumerate(footings):
        if one.job_sha256 != footings[0].job_sha256:
            raise EnvironmentMissing(
                f"rank {rank} on {one.host} read another job file than rank 0 on {footings[0].host}: the "
                "results folder is a private one on each node",
                "put the results folder where every node sees the same files.",
            )


def _check_threads(footings: Sequence[Footing], placement: Placement) -> None:
    wanted = placement.threads_per_rank
    for rank, one in enumerate(footings):
        if len(one.cpus) < wanted:
            raise EnvironmentMissing(
                f"rank {rank} on {one.host} may run on {len(one.cpus)} CPU(s), but the placement gives it "
                f"{wanted} threads",
                "ask the scheduler for more CPUs a task, do not bind ranks to fewer, or lower "
                "threads_per_rank.",
            )
        if one.num_threads != wanted:
            raise EnvironmentMissing(
                f"rank {rank} on {one.host} computes with {one.num_threads} threads, but the placement "
                f"gives it {wanted}",
                "remove what sets threads for torch on that node, such as OMP_THREAD_LIMIT.",
            )


def _check_disjoint(footings: Sequence[Footing]) -> None:
    owners: dict[tuple[str, int], int] = {}
    for rank, one in enumerate(footings):
        for cpu in one.cpus:
            other = owners.setdefault((one.host, cpu), rank)
            if other != rank:
                raise EnvironmentMissing(
                    f"the placement binds ranks to cores, but ranks {other} and {rank} may both run on CPU "
                    f"{cpu} of {one.host}",
                    "let the scheduler bind tasks (Slurm: TaskPlugin task/affinity or task/cgroup), start "
                    "with mpirun, or set binding: none.",
                )
