"""What a rank of an engine knows of others: those of its stage, and those next to it in the pipeline."""

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import torch
from torch import distributed
from torch.distributed import ProcessGroup

from workloads.energon.links import Links
from workloads.energon.mates import Mates, agreed_small_bytes
from workloads.energon.meter import Meter, unmetered
from workloads.energon.neighbour import Neighbour
from workloads.energon.plan import EnginePlan
from workloads.energon.tensor_group import TensorGroup
from workloads.transport.meeting import meet

_HOST = torch.device("cpu")
_IDLE = timedelta(days=365)
"""How long an engine may have nothing to do. Who dies closes its connections, which is noticed at once."""


class Carrier(StrEnum):
    """What carries hidden states and sums."""

    HOST = "host"
    """From host to host, by sockets and gloo; tensors of a GPU are copied there and back."""
    NCCL = "nccl"
    """From GPU to GPU; each rank needs a GPU of its own. It never ran on several GPUs yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """The others, as one rank of an engine sees them."""

    plan: EnginePlan
    rank: int
    group: TensorGroup
    links: Links
    process_groups: Sequence[ProcessGroup]
    """Those that were made for this and end with it."""
    connections: Sequence[socket.socket] = ()

    def close(self) -> None:
        """Part from the others, which do the same."""
        self.links.close()
        for connection in self.connections:
            connection.close()
        for group in self.process_groups:
            with suppress(RuntimeError):
                distributed.destroy_process_group(group)


def open_ranks(
    plan: EnginePlan,
    rank: int,
    *,
    device: torch.device | None = None,
    carrier: Carrier = Carrier.HOST,
    meter: Meter | None = None,
    secret: str = "",
) -> Ranks:
    """Connect the ranks of an engine; all of them call this, with a default process group of just them.

    One rank alone needs no process group. ``device`` is where the rank computes: the host where not given.
    ``secret`` is what all of these ranks know and nobody else, where they were told one: links need it.

    Raises:
        ValueError: when the default process group has other ranks than the plan.
    """
    told = unmetered if meter is None else meter
    if plan.num_ranks == 1:
        group, links = TensorGroup(rank, meter=told), _links(plan, told)
        return Ranks(plan=plan, rank=rank, group=group, links=links, process_groups=())
    groups = _Groups(plan, rank, device or _HOST, carrier)
    connections = groups.connections(secret)
    before, behind = groups.neighbours(connections)
    return Ranks(
        plan=plan,
        rank=rank,
        group=TensorGroup(rank, groups.mates(connections), told),
        links=_links(plan, told, before, behind),
        process_groups=groups.made,
        connections=tuple(connections.values()),
    )


def _links(
    plan: EnginePlan, meter: Meter, before: Neighbour | None = None, behind: Neighbour | None = None
) -> Links:
    return Links(before, behind, num_buffers=plan.num_buffers, is_blocking=plan.is_blocking, meter=meter)


class _Groups:
    """The process groups of an engine: every rank makes all of them, in the same order."""

    def __init__(self, plan: EnginePlan, rank: int, device: torch.device, carrier: Carrier) -> None:
        num_ranks = _default_group().size()
        if num_ranks != plan.num_ranks:
            raise ValueError(f"a plan of {plan.num_ranks} ranks cannot run on a process group of {num_ranks}")
        self._plan, self._rank, self._carrier = plan, rank, carrier
        self._device = _HOST if carrier is Carrier.HOST else device
        self.made: list[ProcessGroup] = []
        self._meeting = self._new(range(plan.num_ranks), "gloo")
        self._bodies = None if carrier is Carrier.HOST else self._new(range(plan.num_ranks), "nccl")

    def connections(self, secret: str) -> dict[int, socket.socket]:
        """To all ranks that this one talks to."""
        others = {*self._stage_ranks(), self._next(-1), self._next(1)} - {None, self._rank}
        ranks = sorted(other for other in others if other is not None)
        callers = [other for other in ranks if other < self._rank]
        called = [other for other in ranks if other > self._rank]
        return meet(self._meeting, self._rank, callers=callers, called=called, secret=secret)

    def neighbours(
        self, connections: Mapping[int, socket.socket]
    ) -> tuple[Neighbour | None, Neighbour | None]:
        """The ranks of the same share in the stage before and in the one behind, where there are such."""
        before, behind = (
            None
            if other is None
            else Neighbour(
                rank=other, connection=connections[other], bodies=self._bodies, device=self._device
            )
            for other in (self._next(-1), self._next(1))
        )
        return before, behind

    def mates(self, connections: Mapping[int, socket.socket]) -> Mates | None:
        """The ranks of this one's stage, where it has others."""
        width = self._plan.tensor_parallel
        if width == 1:
            return None
        backend = "gloo" if self._carrier is Carrier.HOST else "nccl"
        firsts = range(0, self._plan.num_ranks, width)
        of_stages = [self._new(range(first, first + width), backend) for first in firsts]
        ways = {rank: connections[rank] for rank in self._stage_ranks() if rank != self._rank}
        return Mates(
            ranks=self._stage_ranks(),
            rank=self._rank,
            connections=ways,
            small_bytes=agreed_small_bytes(list(ways.values()), self._meeting),
            bodies=of_stages[self._plan.stage_of(self._rank)],
            device=self._device,
        )

    def _stage_ranks(self) -> range:
        width = self._plan.tensor_parallel
        first = self._rank // width * width
        return range(first, first + width)

    def _next(self, distance: int) -> int | None:
        """The rank of the same share so many stages away, where there is such a stage."""
        other = self._rank + distance * self._plan.tensor_parallel
        return other if 0 <= other < self._plan.num_ranks else None

    def _new(self, ranks: Sequence[int], backend: str) -> ProcessGroup:
        group = distributed.new_group(list(ranks), timeout=_IDLE, backend=backend)
        if self._rank in ranks:
            self.made.append(group)
        return group


def _default_group() -> ProcessGroup:
    group = distributed.group.WORLD
    if group is None:
        raise ValueError("an engine of several ranks needs the default process group of torch.distributed")
    return group
