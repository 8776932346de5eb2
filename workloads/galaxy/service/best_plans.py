"""Plans of the service: for one sequence that is answered as soon as can be."""

from dataclasses import dataclass

from workloads.galaxy.forecast import Forecast, forecast
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.planner import plan_cluster
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.service.planning import Foreseen
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture


@dataclass(frozen=True, slots=True, kw_only=True)
class BestPlans:
    """Plans that are foreseen to be the fastest."""

    architecture: TransformerArchitecture
    itemsize: int
    wires: tuple[WireFormat, ...] = (WireFormat.EXACT,)
    """Formats that may be used on links; answers are less exact with others than the first."""

    def plan(self, cluster: ClusterProfile, num_tokens: int) -> Foreseen:
        """The best plan.

        Raises:
            PlanError: when nothing fits, with what would.
        """
        planned = plan_cluster(self.architecture, cluster, num_tokens, self.itemsize, wires=self.wires)
        return _foreseen(planned.plan, planned.forecast, cluster)

    def foresee(self, cluster: ClusterProfile, plan: ParallelPlan, num_tokens: int) -> Foreseen:
        """What a plan would take."""
        found = forecast(self.architecture, plan, cluster, num_tokens, self.itemsize)
        return _foreseen(plan, found, cluster)


def _foreseen(plan: ParallelPlan, found: Forecast, cluster: ClusterProfile) -> Foreseen:
    compute_ns = dict(zip(plan.devices, found.compute_ns, strict=True))
    held = zip(plan.devices, found.memory_bytes, strict=True)
    fits = all(num_bytes <= cluster.devices[device].memory_bytes for device, num_bytes in held)
    return Foreseen(plan=plan, latency_ns=found.latency_ns, compute_ns=compute_ns, fits=fits)
