"""Workloads that know what would let a problem fit into less memory, with the same results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from augment.problem import Problem
from workloads.protocol import UNDIVIDED, Degrees


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """The same problem in less memory of each rank."""

    problem: Problem
    degrees: Degrees
    words: str
    """What a sweep file says for it, such as ``model.checkpointing: stages``."""
    is_combined: bool = False
    """Whether it takes two ways at once: only where neither does alone."""


@runtime_checkable
class SavingWorkload(Protocol):
    """A workload that can trade work or ranks for memory."""

    def savings(self, problem: Problem, *, degrees: Degrees = UNDIVIDED) -> Sequence[Saving]:
        """Every way to run ``problem`` in less memory of each rank; of one way the least change first.

        Raises:
            ProblemError: for a problem that cannot be built.
        """
