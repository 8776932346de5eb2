"""Who am I, who else is there, and is that what the placement asked for."""

import os
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import torch

from saih.domain.errors import EnvironmentMissing
from saih.domain.point import Device, Placement
from saih.harness.mpi_library import mpi_name, require_own_launcher
from saih.machine.messages import Message, broadcast, gather
from saih.machine.mpi import MPI

LAUNCHER_COUNTS = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS")
"""Where launchers tell a process how many there should be; only quoted in messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where one rank found itself."""

    size: int
    """Ranks that this rank sees."""
    host: str
    process: int
    device_id: str
    """Identity of its GPU over all hosts; empty on the CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """This rank among all, checked against the placement."""

    comm: MPI.Intracomm
    hosts: tuple[str, ...]
    """Distinct hosts in the order of their first rank."""
    first_ranks: tuple[int, ...]
    """The first rank on each of them."""
    device: str
    """``cpu`` or ``cuda:N``."""

    @property
    def rank(self) -> int:
        """This rank's number."""
        return self.comm.rank

    @property
    def num_ranks(self) -> int:
        """All ranks."""
        return self.comm.size


def take_seats(comm: MPI.Intracomm, placement: Placement) -> Ranks:
    """This rank's place; every rank of the job calls it, before anything is timed.

    Raises:
        EnvironmentMissing: on every rank, when the ranks are not those that the placement asks for.
    """
    require_own_launcher(os.environ, mpi_name())
    device, device_id = _find_device(comm, placement.device)
    own = Seat(size=comm.size, host=host_name(), process=os.getpid(), device_id=device_id)
    messages = gather(comm, asdict(own))
    told = broadcast(comm, None if messages is None else _verdict(messages, placement))
    if told["problem"]:
        raise EnvironmentMissing(told["problem"], told["remedy"])
    return Ranks(comm=comm, hosts=tuple(told["hosts"]), first_ranks=tuple(told["first_ranks"]), device=device)


def _verdict(messages: Sequence[Message], placement: Placement) -> Message:
    """What rank 0 tells all ranks of their seats."""
    seats = tuple(Seat(**message) for message in messages)
    problem = remedy = ""
    try:
        check_seats(seats, placement, os.environ)
    except EnvironmentMissing as error:
        problem, remedy = error.problem, error.remedy
    firsts: dict[str, int] = {}
    for rank, seat in enumerate(seats):
        firsts.setdefault(seat.host, rank)
    return {
        "problem": problem,
        "remedy": remedy,
        "hosts": list(firsts),
        "first_ranks": list(firsts.values()),
    }


def check_seats(seats: Sequence[Seat], placement: Placement, environ: Mapping[str, str]) -> None:
    """Do nothing when the gathered seats are those of the placement.

    Raises:
        EnvironmentMissing: otherwise, with both numbers and what to do.
    """
    _check_count(seats, placement, environ)
    _check_hosts(seats, placement)
    _check_devices(seats, placement)


def _check_count(seats: Sequence[Seat], placement: Placement, environ: Mapping[str, str]) -> None:
    sizes = sorted({seat.size for seat in seats})
    if sizes == [placement.num_ranks]:
        return
    launched = [f"{name}={environ[name]}" for name in LAUNCHER_COUNTS if name in environ]
    promised = f" (the launcher set {', '.join(launched)})" if launched else ""
    found = ", ".join(map(str, sizes))
    if sizes == [1]:
        raise EnvironmentMissing(
            f"the placement asks for {placement.num_ranks} ranks, but this rank is alone in an MPI world "
            f"of 1{promised}: {placement.num_ranks} singletons would each measure a different problem",
            f"start the ranks with the launcher of the MPI that mpi4py was built with ({mpi_name()}), or "
            "give srun the matching plugin (srun --mpi=list, then --mpi=pmix or --mpi=pmi2).",
        )
    raise EnvironmentMissing(
        f"the placement asks for {placement.nodes} x {placement.ranks_per_node} = {placement.num_ranks} "
        f"ranks, but the MPI world has {found}{promised}",
        "start exactly as many ranks as the placement has, or change nodes and ranks_per_node.",
    )


def _check_hosts(seats: Sequence[Seat], placement: Placement) -> None:
    counts = Counter(seat.host for seat in seats)
    if len(counts) == placement.nodes and set(counts.values()) == {placement.ranks_per_node}:
        return
    found = ", ".join(f"{count} on {host}" for host, count in sorted(counts.items()))
    raise EnvironmentMissing(
        f"the placement asks for {placement.ranks_per_node} ranks on each of {placement.nodes} nodes, but "
        f"the launcher put {found}",
        "tell the launcher how many ranks go on a node (mpirun --map-by ppr:N:node, srun "
        "--ntasks-per-node=N).",
    )


def _check_devices(seats: Sequence[Seat], placement: Placement) -> None:
    if placement.device == "cpu":
        return
    owners: dict[str, list[int]] = {}
    for rank, seat in enumerate(seats):
        owners.setdefault(seat.device_id, []).append(rank)
    for device_id, ranks in owners.items():
        if not device_id:
            raise EnvironmentMissing(
                f"the placement asks for one GPU for each rank, but ranks {ranks} see none",
                "ask the scheduler for GPUs, install a torch with CUDA, or set device: cpu.",
            )
        if len(ranks) > 1:
            raise EnvironmentMissing(
                f"ranks {ranks} share GPU {device_id} of {seats[ranks[0]].host}",
                "start at most one rank for each GPU, or let every rank see all GPUs of its node.",
            )


def _find_device(comm: MPI.Intracomm, device: Device) -> tuple[str, str]:
    """The torch device of this rank, and its identity; no identity where there is none."""
    if device == "cpu":
        return "cpu", ""
    local_rank = comm.Split_type(MPI.COMM_TYPE_SHARED).rank
    num_devices = torch.cuda.device_count()
    if num_devices == 0:
        return "cuda:0", ""
    # A scheduler that shows each rank only its own GPU leaves one; the check finds real sharing.
    index = local_rank % num_devices
    return f"cuda:{index}", str(torch.cuda.get_device_properties(index).uuid)


def host_name() -> str:
    """The host of this rank, as its peers are to know it."""
    # Slurm may run several emulated nodes on one machine; only its own name tells them apart.
    return os.environ.get("SLURMD_NODENAME") or socket.gethostname()
