"""What the coordinator needs of a planner."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.service.busy import Busy


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A plan, and how long a request of some length is foreseen to take by it."""

    plan: ParallelPlan
    latency_ns: float
    busy: Mapping[int, Busy]
    """How long each of its devices is, by their numbers in the plan."""
    fits: bool = True
    """Whether no device holds more than it may."""


class Planning(Protocol):
    """Chooses and foresees."""

    def plan(self, cluster: ClusterProfile, num_tokens: int) -> Foreseen:
        """The best plan.

        Raises:
            PlanError: when nothing fits, with what would.
        """

    def foresee(self, cluster: ClusterProfile, plan: ParallelPlan, num_tokens: int) -> Foreseen:
        """What a plan would take."""
