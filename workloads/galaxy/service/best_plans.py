"""Plans of the service: for one sequence that is answered as soon as can be."""

from dataclasses import dataclass, replace

from workloads.galaxy.forecasting.forecast import Forecast, forecast
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.planning.planner import plan_cluster
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.service.busy import Busy
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
        return self.foresee(cluster, planned.plan, num_tokens)

    def foresee(self, cluster: ClusterProfile, plan: ParallelPlan, num_tokens: int) -> Foreseen:
        """What a plan would take."""
        found = self._forecast(cluster, plan, num_tokens)
        # What tiles cost besides work is what is saved where they cost nothing.
        bare = replace(cluster, devices=tuple(replace(device, tile_ns=0.0) for device in cluster.devices))
        works_ns = self._forecast(bare, plan, num_tokens).compute_ns
        busy = {
            device: Busy(work_ns=work_ns, around_ns=total_ns - work_ns)
            for device, work_ns, total_ns in zip(plan.devices, works_ns, found.compute_ns, strict=True)
        }
        held = zip(plan.devices, found.memory_bytes, strict=True)
        fits = all(num_bytes <= cluster.devices[device].memory_bytes for device, num_bytes in held)
        return Foreseen(plan=plan, latency_ns=found.latency_ns, busy=busy, fits=fits)

    def _forecast(self, cluster: ClusterProfile, plan: ParallelPlan, num_tokens: int) -> Forecast:
        return forecast(self.architecture, plan, cluster, num_tokens, self.itemsize)
