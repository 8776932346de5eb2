"""Workloads that can say how a problem will be run, before it is."""

from typing import Protocol, runtime_checkable

from augment.problem import Problem
from workloads.protocol import UNDIVIDED, Degrees


@runtime_checkable
class ExplainingWorkload(Protocol):
    """A workload that plans before anything runs."""

    def explain(
        self, problem: Problem, *, batch_per_rank: int, precision: str, degrees: Degrees = UNDIVIDED
    ) -> tuple[str, ...]:
        """Sentences on how ranks will share a problem, and why; none where only the run finds it out.

        Raises:
            ProblemError: for a problem that cannot be built or divided.
        """
