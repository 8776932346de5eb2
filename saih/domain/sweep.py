"""A sweep: what the user asks to be measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from augment.compound import CompoundWalk
from augment.iso import IsoWalk
from augment.ladder import Ladder
from augment.problem import Problem
from saih.domain.point import Exchange, Placement, Point, Timing
from saih.domain.scaling import RankLadder
from saih.domain.supply import FROM_DATA_FOLDER, Supply
from workloads.execution import PLAIN, Execution

MAX_POINTS = 100_000
"""More than anybody could run; sweeps that ask for more are refused before they are expanded."""


Walk = IsoWalk | CompoundWalk
RANKS, BATCH, SHARING = "ranks", "batch_per_rank", "spatial_parallel"
"""Sizes of a run that an iso walk may change or let follow, besides those of data and model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """One workload, a base problem, ladders over its axes, placements, and how to measure."""

    name: str
    workload: str
    base: Problem
    ladders: tuple[Ladder, ...]
    batch_per_rank: int
    precision: str
    exchange: Exchange
    placements: tuple[Placement, ...]
    timing: Timing
    seed: int
    scheduler: str = "local"
    rank_ladder: RankLadder | None = None
    """The ranks axis. Its rungs replace ``placements``, which then holds the one that they are built from."""
    walk: Walk | None = None
    """Sizes of data, model and run that change together; such a sweep has no ladders."""
    supply: Supply = FROM_DATA_FOLDER
    """Where batches come from."""
    executions: tuple[Execution, ...] = (PLAIN,)
    """How steps are executed; every problem on every placement is measured in each."""


Resource = Literal["memory of a node", "memory of a GPU", "disk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """What a point needs, as predicted, and what is there."""

    of: Resource
    needed_bytes: int
    available_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedPoint:
    """A point of a sweep that will not run, and why."""

    point: Point
    labels: Mapping[str, str]
    """Axis -> rung label; the sizes as given where no such problem can exist."""
    reason: str
    tensor_bytes: int | None = None
    """Predicted peak memory of one rank's tensors; None where no such problem can exist."""
    shortage: Shortage | None = None
    """What there is too little of; None where it is dropped for another reason."""
