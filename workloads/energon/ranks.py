"""What a rank of an engine knows of others: those of its stage, and those next to it in the pipeline."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypedDict

import torch
from torch import distributed
from torch.distributed import ProcessGroup

from workloads.energon.link_meeting import meet
from workloads.energon.links import Links
from workloads.energon.meter import Meter, unmetered
from workloads.energon.neighbour import Neighbour
from workloads.energon.plan import EnginePlan
from workloads.energon.tensor_group import Mates, TensorGroup

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

    def close(self) -> None:
        """Part from the others, which do the same."""
        self.links.close()
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
) -> Ranks:
    """Connect the ranks of an engine; all of them call this, with a default process group of just them.

    One rank alone needs no process group. ``device`` is where the rank computes: the host where not given.

    Raises:
        ValueError: when the default process group has other ranks than the plan.
    """
    told = unmetered if meter is None else meter
    rules: LinkRules = {"num_buffers": plan.num_buffers, "is_blocking": plan.is_blocking}
    if plan.num_ranks == 1:
        group, links = TensorGroup(rank, meter=told), Links(None, None, **rules)
        return Ranks(plan=plan, rank=rank, group=group, links=links, process_groups=())
    groups = _Groups(plan, rank, device or _HOST, carrier)
    mates = groups.mates()
    before, behind = groups.neighbours()
    return Ranks(
        plan=plan,
        rank=rank,
        group=TensorGroup(rank, mates, told),
        links=Links(before, behind, **rules),
        process_groups=groups.made,
    )


class LinkRules(TypedDict):
    """What a plan says of links."""

    num_buffers: int
    is_blocking: bool


class _Groups:
    """The process groups of an engine: every rank makes all of them, in the same order."""

    def __init__(self, plan: EnginePlan, rank: int, device: torch.device, carrier: Carrier) -> None:
        num_ranks = _default_group().size()
        if num_ranks != plan.num_ranks:
            raise ValueError(f"a plan of {plan.num_ranks} ranks cannot run on a process group of {num_ranks}")
        self._plan, self._rank, self._carrier = plan, rank, carrier
        self._device = _HOST if carrier is Carrier.HOST else device
        self.made: list[ProcessGroup] = []

    def mates(self) -> Mates | None:
        """The ranks of this one's stage, where it has others."""
        found = None
        width = self._plan.tensor_parallel
        for first in range(0, self._plan.num_ranks, width) if width > 1 else ():
            ranks = range(first, first + width)
            control = self._new(ranks, "gloo")
            bodies = control if self._carrier is Carrier.HOST else self._new(ranks, "nccl")
            if self._rank in ranks:
                found = Mates(
                    ranks=ranks, rank=self._rank, control=control, bodies=bodies, device=self._device
                )
        return found

    def neighbours(self) -> tuple[Neighbour | None, Neighbour | None]:
        """The ranks of the same share in the stage before and in the one behind, where there are such."""
        if self._plan.pipeline_parallel == 1:
            return None, None
        everybody = range(self._plan.num_ranks)
        meeting = self._new(everybody, "gloo")
        bodies = None if self._carrier is Carrier.HOST else self._new(everybody, "nccl")
        places = [self._rank - self._plan.tensor_parallel, self._rank + self._plan.tensor_parallel]
        before, behind = (place if place in everybody else None for place in places)
        ways = meet(meeting, before=before, behind=behind)
        found = [
            None if way is None else Neighbour(rank=place, connection=way, bodies=bodies, device=self._device)
            for place, way in zip(places, ways, strict=True)
        ]
        return found[0], found[1]

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
