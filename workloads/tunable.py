"""Workloads whose steps can be executed in more than one way."""

from typing import Protocol, runtime_checkable

from augment.problem import Problem
from workloads.execution import PLAIN, Execution
from workloads.protocol import UNDIVIDED, Cost, Degrees


@runtime_checkable
class Tunable(Protocol):
    """A workload that takes executions other than the plain one; others refuse them."""

    def check_execution(self, execution: Execution, *, precision: str, device: str, exchange: str) -> None:
        """Do nothing for an execution that a rank on ``device`` (``cpu`` or ``cuda``) may be able to do.

        ``precision`` is the number format of the point, ``exchange`` how its ranks share gradients. What only
        the job can find out, such as a compiler that is missing, is refused there.

        Raises:
            ProblemError: otherwise, with the setting and what would do.
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
