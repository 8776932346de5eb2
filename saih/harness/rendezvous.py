"""Where the ranks of one point meet to exchange gradients: a process group of its own, on a free port."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # exported only where it was built

from saih.domain.point import Exchange
from saih.harness.exchange import CudaDdpExchange, DdpExchange, MeasuredExchange, NoExchange
from saih.harness.messages import broadcast
from saih.harness.ranks import Ranks

LOOPBACK = "127.0.0.1"


@contextmanager
def open_exchange(kind: Exchange, ranks: Ranks, timeout_s: float) -> Iterator[MeasuredExchange]:
    """The gradient exchange of one point; every rank enters and leaves it.

    One rank has nobody to exchange with and gets ``NoExchange``. ``timeout_s`` bounds one collective.
    """
    if kind == "none" or ranks.num_ranks == 1:
        yield NoExchange()
        return
    with process_group(ranks, timeout_s) as group:
        yield DdpExchange(group) if ranks.device == "cpu" else CudaDdpExchange(group)


@contextmanager
def process_group(ranks: Ranks, timeout_s: float) -> Iterator[dist.ProcessGroup]:
    """A process group over all ranks: gloo on the CPU, nccl on GPUs."""
    store = _meet(ranks, timeout_s)
    on_cpu = ranks.device == "cpu"
    dist.init_process_group(
        "gloo" if on_cpu else "nccl",
        store=store,
        rank=ranks.rank,
        world_size=ranks.num_ranks,
        timeout=timedelta(seconds=timeout_s),
        device_id=None if on_cpu else torch.device(ranks.device),
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


def _meet(ranks: Ranks, timeout_s: float) -> TCPStore:
    """The key-value store on rank 0 that a process group is made from.

    The kernel picks the port, so two jobs on one node never meet; one host listens on loopback only.
    """
    is_one_host = len({seat.host for seat in ranks.seats}) == 1
    timeout = timedelta(seconds=timeout_s)
    if ranks.rank != 0:
        address = broadcast(ranks.comm, None)
        return TCPStore(address["host"], address["port"], ranks.num_ranks, is_master=False, timeout=timeout)
    listener = socket.create_server((LOOPBACK if is_one_host else "", 0), backlog=ranks.num_ranks)
    host, port = LOOPBACK if is_one_host else socket.gethostname(), listener.getsockname()[1]
    store = TCPStore(
        host,
        port,
        ranks.num_ranks,
        is_master=True,
        timeout=timeout,
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )
    broadcast(ranks.comm, {"host": host, "port": port})
    return store
