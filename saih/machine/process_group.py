"""Process groups of torch.distributed over the ranks of a communicator, on a free port."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # exported only where it was built

from saih.domain.errors import EnvironmentMissing
from saih.machine.meeting import answering, candidate_addresses, interface_addresses, reach
from saih.machine.messages import Message, broadcast, first
from saih.machine.mpi import MPI

LOOPBACK = "127.0.0.1"


@contextmanager
def process_group(comm: MPI.Intracomm, device: torch.device, timeout_s: float) -> Iterator[dist.ProcessGroup]:
    """A process group over all ranks: gloo on the CPU, nccl on GPUs. Every rank enters and leaves it.

    ``timeout_s`` bounds one collective.
    """
    store = _meet(comm, timeout_s)
    on_cpu = device.type == "cpu"
    dist.init_process_group(
        "gloo" if on_cpu else "nccl",
        store=store,
        rank=comm.rank,
        world_size=comm.size,
        timeout=timedelta(seconds=timeout_s),
        device_id=None if on_cpu else device,
    )
    group = dist.group.WORLD
    if group is None:
        raise RuntimeError("torch.distributed made no default process group")
    with _ending(group):
        yield group


@contextmanager
def subgroup(num_ranks: int, timeout_s: float) -> Iterator[dist.ProcessGroup]:
    """A process group of so many consecutive ranks of the default one, counted from its rank 0.

    Every rank of the default group enters and leaves its own, and leaves it before that one.
    ``timeout_s`` bounds one collective.
    """
    # Not each group by its own ranks alone: one made again would find what the first left in the store.
    timeout = timedelta(seconds=timeout_s)
    group, _ = dist.new_subgroups(group_size=num_ranks, timeout=timeout)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    if group is None:
        raise RuntimeError(f"torch.distributed made no process group of {num_ranks} ranks")
    with _ending(group):
        yield group


@contextmanager
def _ending(group: dist.ProcessGroup) -> Iterator[None]:
    """End the group on leaving."""
    try:
        yield
    except BaseException:
        # Collectives that other ranks never join would be waited for.
        group.abort()
        raise
    finally:
        dist.destroy_process_group(group)


def _meet(comm: MPI.Intracomm, timeout_s: float) -> TCPStore:
    """The key-value store on rank 0 that a process group is made from.

    The kernel picks the port, so two jobs on one node never meet; one host listens on loopback only.
    """
    node = MPI.Intracomm(comm.Split_type(MPI.COMM_TYPE_SHARED))
    try:
        is_one_host = bool(node.size == comm.size)
        host = LOOPBACK if is_one_host else _way_to_first(comm, node)
    finally:
        node.Free()
    timeout = timedelta(seconds=timeout_s)
    if comm.rank != 0:
        port = broadcast(comm, None)["port"]
        return TCPStore(host, port, comm.size, is_master=False, timeout=timeout)
    listener = socket.create_server((LOOPBACK if is_one_host else "", 0), backlog=comm.size)
    port = listener.getsockname()[1]
    store = TCPStore(
        host,
        port,
        comm.size,
        is_master=True,
        timeout=timeout,
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )
    broadcast(comm, {"port": port})
    return store


def _way_to_first(comm: MPI.Intracomm, node: MPI.Intracomm) -> str:
    """The address by which this rank reaches rank 0; gloo is told the interface on that way.

    One rank of each host tries the addresses of rank 0's host: names need not resolve, and what a name
    stands for need not be reachable.

    Raises:
        EnvironmentMissing: on every rank, when some host finds no way.
    """
    is_first_host = bool(broadcast(node, {"rank": comm.rank})["rank"] == 0)
    with answering() if comm.rank == 0 else nullcontext((0, "")) as (port, token):
        own = {"addresses": candidate_addresses(), "port": port, "token": token}
        offered = broadcast(comm, own if comm.rank == 0 else None)
        tries = node.rank == 0 and not is_first_host
        way = reach(offered["addresses"], offered["port"], offered["token"]) if tries else None
        # Rank 0 answers until everybody came out of this.
        unreached = first(comm, {"host": socket.gethostname()} if tries and way is None else None)
        used = first(comm, None if way is None else {"address": way[0], "own": way[0]})
    if unreached is not None or used is None:
        raise _no_way(offered["addresses"], unreached)
    if not is_first_host:
        used = broadcast(node, None if way is None else {"address": way[0], "own": way[1]})
    if interface := interface_addresses().get(used["own"], ""):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)  # what the site says stands
    return str(used["address"])


def _no_way(addresses: Sequence[str], unreached: Message | None) -> EnvironmentMissing:
    where = "other hosts" if unreached is None else unreached["host"]
    return EnvironmentMissing(
        f"{where} reached the host of rank 0 by none of its addresses ({', '.join(addresses) or 'none'}).",
        "open the ports between compute nodes, or name an interface that joins them: GLOO_SOCKET_IFNAME in "
        "the environment of the site file.",
    )
