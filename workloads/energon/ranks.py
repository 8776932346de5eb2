"""What a rank of an engine knows of others: those of its stage, and those next to it in the pipeline."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import torch
from torch import distributed
from torch.distributed import ProcessGroup

from workloads.energon.links import Links, Neighbour
from workloads.energon.meter import Meter, unmetered
from workloads.energon.plan import EnginePlan
from workloads.energon.tensor_group import Mates, TensorGroup

_IDLE = timedelta(days=365)
"""How long an engine may have nothing to do. Who dies closes its connections, which is noticed at once."""


class Carrier(StrEnum):
    """What carries hidden states and sums."""

    GLOO = "gloo"
    """From host to host; tensors of a GPU are copied there and back."""
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
    carrier: Carrier = Carrier.GLOO,
    meter: Meter | None = None,
) -> Ranks:
    """Connect the ranks of an engine; all of them call this, with a default process group of just them.

    One rank alone needs no process group. ``device`` is where the rank computes: the host where not given.

    Raises:
        ValueError: when the default process group has other ranks than the plan.
    """
    told = unmetered if meter is None else meter
    if plan.num_ranks == 1:
        links = Links(None, None, num_buffers=plan.num_buffers, is_blocking=plan.is_blocking)
        return Ranks(plan=plan, rank=rank, group=TensorGroup(rank), links=links, process_groups=())
    groups = _Groups(plan, rank, device or torch.device("cpu"), carrier)
    before, behind = groups.neighbour(-1), groups.neighbour(1)
    return Ranks(
        plan=plan,
        rank=rank,
        group=TensorGroup(rank, groups.mates, told),
        links=Links(before, behind, num_buffers=plan.num_buffers, is_blocking=plan.is_blocking),
        process_groups=groups.made,
    )


class _Groups:
    """The process groups of an engine: every rank makes all of them, in the same order."""

    def __init__(self, plan: EnginePlan, rank: int, device: torch.device, carrier: Carrier) -> None:
        num_ranks = _default_group().size()
        if num_ranks != plan.num_ranks:
            raise ValueError(f"a plan of {plan.num_ranks} ranks cannot run on a process group of {num_ranks}")
        self._plan, self._rank = plan, rank
        self._device = torch.device("cpu") if carrier is Carrier.GLOO else device
        self.made: list[ProcessGroup] = []
        self.mates: Mates | None = None
        self._control, self._bodies = self._pair(range(plan.num_ranks), carrier)
        for stage in range(plan.pipeline_parallel):
            self._join_mates(stage, carrier)

    def neighbour(self, distance: int) -> Neighbour | None:
        """The rank of the same share so many stages away, where there is such a stage."""
        rank = self._rank + distance * self._plan.tensor_parallel
        if not 0 <= rank < self._plan.num_ranks:
            return None
        return Neighbour(rank=rank, control=self._control, bodies=self._bodies, device=self._device)

    def _join_mates(self, stage: int, carrier: Carrier) -> None:
        if self._plan.tensor_parallel == 1:
            return
        first = stage * self._plan.tensor_parallel
        ranks = range(first, first + self._plan.tensor_parallel)
        control, bodies = self._pair(ranks, carrier)
        if self._rank in ranks:
            self.mates = Mates(
                ranks=tuple(ranks), rank=self._rank, control=control, bodies=bodies, device=self._device
            )

    def _pair(self, ranks: Sequence[int], carrier: Carrier) -> tuple[ProcessGroup, ProcessGroup]:
        control = self._made(ranks, "gloo")
        return control, control if carrier is Carrier.GLOO else self._made(ranks, "nccl")

    def _made(self, ranks: Sequence[int], backend: str) -> ProcessGroup:
        group = distributed.new_group(list(ranks), timeout=_IDLE, backend=backend)
        if self._rank in ranks:
            self.made.append(group)
        return group


def _default_group() -> ProcessGroup:
    group = distributed.group.WORLD
    if group is None:
        raise ValueError("an engine of several ranks needs the default process group of torch.distributed")
    return group
