"""What an application offers that can show whether its problems can be learnt, and search models that do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from augment.problem import Problem
from workloads.means import ALONE, Means
from workloads.protocol import Progress, Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All that a rank is told when an application is to show that its problems can be learnt."""

    rank: int
    num_ranks: int
    device: str
    """``cpu`` or ``cuda:N``."""
    seed: int
    data_folder: Path
    folder: Path
    """Where the study keeps what it needs to go on after a kill; all ranks see it, and no other study."""
    budget_s: float
    """About how long all of it may take [s]."""
    gather: Callable[[Told], Sequence[Told]]
    """What all ranks told, by rank; every rank calls it as often as every other."""
    progress: Progress
    means: Means = ALONE
    """What this rank has to make data with."""


@runtime_checkable
class StudyingJob(Protocol):
    """The job side of an application whose problems can be shown to be learnt, or be grown so that they are.

    Both are safe to kill and to repeat: what is done already is read from the study's folder.
    """

    def validate(self, problem: Problem, study: Study) -> Told:
        """Every gate of a valid learning problem, passed or not, with its figures; equal on all ranks."""

    def search(self, problems: Sequence[Problem], study: Study) -> Told:
        """For the cost of each problem the model that learns best; equal on all ranks."""
