"""Process groups of torch.distributed over the ranks of a communicator, on a free port."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from mpi4py import MPI
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # exported only where it was built

from saih.machine.messages import broadcast

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
    try:
        yield group
    except BaseException:
        # Collectives that other ranks never join would be waited for.
        group.abort()
        raise
    finally:
        dist.destroy_process_group()


def _meet(comm: MPI.Intracomm, timeout_s: float) -> TCPStore:
    """The key-value store on rank 0 that a process group is made from.

    The kernel picks the port, so two jobs on one node never meet; one host listens on loopback only.
    """
    is_one_host = _is_one_host(comm)
    timeout = timedelta(seconds=timeout_s)
    if comm.rank != 0:
        address = broadcast(comm, None)
        return TCPStore(address["host"], address["port"], comm.size, is_master=False, timeout=timeout)
    listener = socket.create_server((LOOPBACK if is_one_host else "", 0), backlog=comm.size)
    # The name of a lone machine need not resolve.
    host, port = LOOPBACK if is_one_host else socket.gethostname(), listener.getsockname()[1]
    store = TCPStore(
        host,
        port,
        comm.size,
        is_master=True,
        timeout=timeout,
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )
    broadcast(comm, {"host": host, "port": port})
    return store


def _is_one_host(comm: MPI.Intracomm) -> bool:
    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    try:
        return bool(node.size == comm.size)
    finally:
        node.Free()
