"""Workloads whose sizes can follow from a cost, or grow together by one knob."""

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

from augment.problem import Problem


@runtime_checkable
class GrowingWorkload(Protocol):
    """A workload that knows which values its sizes may take."""

    @property
    def following(self) -> tuple[str, ...]:
        """The sizes that may follow from a cost."""

    def choices(self, size: str, problem: Problem) -> Sequence[int]:
        """Every value of a size of ``problem`` that may follow from a cost, growing; no cost falls with them.

        Raises:
            ProblemError: for a size that cannot follow, with those that can.
        """

    def compound(self, problem: Problem, phi: float) -> Problem:
        """``problem`` after ``phi`` steps of a knob that grows data and model together.

        Each step doubles the FLOPs of a sample, as nearly as whole sizes can.

        Raises:
            ProblemError: for a problem that cannot be built.
        """

    def sample_flops(self, problem: Problem) -> float:
        """Floating-point operations for one sample of a step.

        Raises:
            ProblemError: for a problem that cannot be built.
        """

    def settled(self, problem: Problem, changing: Collection[str]) -> Problem:
        """The same problem with those sizes written out that contradict the sizes which shall change.

        Raises:
            ProblemError: for a problem that cannot be built.
        """
