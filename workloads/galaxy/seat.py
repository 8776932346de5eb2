"""One rank of a replica, and its ways to the others."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import distributed
from torch.distributed import ProcessGroup

from augment.problem import ProblemError
from workloads.galaxy.group_words import told_by_all
from workloads.galaxy.versions import disagreement, own_versions
from workloads.precision import SERVING, Precision
from workloads.protocol import ReadClock, Surroundings
from workloads.transformer.place import Place
from workloads.transport.meeting import meet

TEST_PRECISION = "float64"
"""Outside the product's formats: shows that several devices equal one, to the last digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """This rank among those of its replica."""

    rank: int
    num_ranks: int
    group: ProcessGroup | None
    """Of host tensors; None for one rank alone."""
    connections: Mapping[int, socket.socket]
    """To each of the others."""
    place: Place
    clock: ReadClock

    def close(self) -> None:
        """Part from the others, which do the same."""
        for connection in self.connections.values():
            connection.close()
        if self.group is not None:
            with suppress(RuntimeError):
                distributed.destroy_process_group(self.group)


def open_seat(surroundings: Surroundings) -> Seat:
    """Connect the ranks of this replica; all of them call this.

    Raises:
        ProblemError: for a precision that is not known; on all ranks, for versions that differ among them.
        LinkError: when one of them cannot be reached.
    """
    if surroundings.precision != TEST_PRECISION:
        Precision.named(surroundings.precision, SERVING)
    num_ranks = surroundings.degrees.num_ranks
    rank = surroundings.rank % num_ranks
    place = Place(device=torch.device(surroundings.device), dtype=getattr(torch, surroundings.precision))
    group, connections = None, {}
    if num_ranks > 1:
        surroundings.connect()
        group = distributed.new_group(list(range(num_ranks)), backend="gloo")
        _check_versions(group)
        connections = meet(group, rank, callers=range(rank), called=range(rank + 1, num_ranks))
    return Seat(
        rank=rank,
        num_ranks=num_ranks,
        group=group,
        connections=connections,
        place=place,
        clock=surroundings.clock,
    )


def _check_versions(group: ProcessGroup) -> None:
    """Other versions may compute other numbers, or write other messages."""
    first, *others = told_by_all(own_versions(), group)
    found = [(rank, disagreement(each, first)) for rank, each in enumerate(others, start=1)]
    differing = [f"device {rank} has {words}" for rank, words in found if words]
    if differing:
        raise ProblemError(
            f"versions differ from those of device 0: {'; '.join(differing)}; install the same on all."
        )
