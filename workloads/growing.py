"""Workloads whose sizes can follow from a cost, or grow together by one knob."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from augment.problem import Problem


@runtime_checkable
class GrowingWorkload(Protocol):
    """A workload that knows which values its sizes may take."""

    def choices(self, size: str) -> Sequence[int]:
        """Every value of a size that may follow from a held quantity, growing; no cost falls with them.

        Raises:
            ProblemError: for a size that cannot follow, with those that can.
        """

    def compound(self, problem: Problem, phi: float) -> Problem:
        """``problem`` after ``phi`` steps of a knob that grows data and model together.

        Each step doubles the FLOPs of a sample, as nearly as whole sizes can.

        Raises:
            ProblemError: for a problem that cannot be built.
        """
