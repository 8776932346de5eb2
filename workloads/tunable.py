"""Workloads whose steps can be executed in more than one way, seen from the side of planning."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from augment.problem import Problem
from workloads.execution import PLAIN, Execution
from workloads.protocol import UNDIVIDED, Cost, Degrees


@dataclass(frozen=True, slots=True, kw_only=True)
class RankSetting:
    """What decides which executions a rank can do."""

    precision: str
    """Number format where the execution names none."""
    device: str
    """``cpu`` or ``cuda``."""
    exchange: str = "none"
    """How ranks share gradients."""
    num_threads: int = 1
    """Of one rank on a CPU."""
    degrees: Degrees = UNDIVIDED


@runtime_checkable
class Tunable(Protocol):
    """A workload that takes executions other than the plain one; others refuse them."""

    def check_execution(self, execution: Execution, setting: RankSetting) -> None:
        """Do nothing for an execution that such a rank may be able to do.

        What only the job can find out, such as a compiler that is missing, is refused there.

        Raises:
            ProblemError: otherwise, with what is asked and what would do.
        """

    def cost(
        self,
        problem: Problem,
        *,
        batch_per_rank: int,
        precision: str,
        degrees: Degrees = UNDIVIDED,
        execution: Execution = PLAIN,
    ) -> Cost:
        """As ``Workload.cost``, for steps that are executed so.

        Raises:
            ProblemError: for a problem that cannot be built or divided, with what would do.
        """
