"""What the ranks of a job have to make data with: memory, and groups that work together."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from saih.harness.ranks import Ranks
from saih.harness.rendezvous import open_groups
from saih.machine.memory import available_memory_bytes
from saih.machine.messages import broadcast, gather
from saih.machine.mpi import MPI
from workloads.means import Means

_USABLE_SHARE = 0.9
"""Of the memory that is free now; the rest is for what others on the node begin meanwhile."""


@contextmanager
def open_means(ranks: Ranks, timeout_s: float) -> Iterator[Means]:
    """Means that are the same on all ranks; every rank enters and leaves.

    ``timeout_s`` bounds one collective of a group.
    """
    with open_groups(ranks, timeout_s) as join:
        yield Means(device=ranks.device, memory_bytes=least_memory_bytes(ranks), join=join)


def least_memory_bytes(ranks: Ranks) -> int:
    """What any rank may take of its device's memory, when all of a node take as much [bytes]."""
    own = _node_share_bytes(ranks.comm) if ranks.device == "cpu" else _device_bytes(ranks.device)
    found = gather(ranks.comm, {"memory_bytes": int(own * _USABLE_SHARE)})
    least = None if found is None else {"memory_bytes": min(each["memory_bytes"] for each in found)}
    return int(broadcast(ranks.comm, least)["memory_bytes"])


def _device_bytes(device: str) -> int:
    """Bytes that are free on a GPU, with those that torch keeps of an earlier data set."""
    torch.cuda.empty_cache()
    return int(torch.cuda.mem_get_info(device)[0])


def _node_share_bytes(comm: MPI.Intracomm) -> int:
    node = MPI.Intracomm(comm.Split_type(MPI.COMM_TYPE_SHARED))
    try:
        return available_memory_bytes() // node.size
    finally:
        node.Free()
