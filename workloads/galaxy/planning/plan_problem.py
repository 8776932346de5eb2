"""What a planner is asked; arithmetic only."""

from dataclasses import dataclass, field, replace
from math import inf

from workloads.galaxy.forecasting.forecast import Forecast, load_forecast
from workloads.galaxy.forecasting.pass_times import PlanTimes
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.memory import Load
from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.galaxy.planning.balance import Seat
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanProblem:
    """A model, devices, and what is asked of them."""

    architecture: TransformerArchitecture
    cluster: ClusterProfile
    load: Load
    wires: tuple[WireFormat, ...] = (WireFormat.EXACT,)
    strategies: tuple[Strategy, ...] = tuple(Strategy)
    num_tiles: int = 0
    """Of each device's rows, where there are any; 0: as many as are best."""
    reserve_bytes: int = 0
    """Of each device's memory, left to others."""
    known_seats: dict[tuple[object, ...], Seat] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What devices were found to be with some rows: few different ones are asked for very often."""
    known_works: dict[tuple[int, WireFormat, int], WorkTimes] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Devices with so many heads and columns, for the same reason."""
    known_heads: dict[object, list[dict[int, int]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Of each device of a ring, where memory is short."""

    def budget_bytes(self, device: int) -> int:
        """What a device may hold."""
        return self.cluster.devices[device].memory_bytes - self.reserve_bytes

    def forecast(self, plan: ParallelPlan, limit_ns: float = inf) -> Forecast:
        """What a plan gives; one that cannot be under the limit is not looked at closely (``PlanTimes``)."""
        times = PlanTimes.of(self.architecture, plan, self.cluster, self.load.itemsize, limit_ns)
        return load_forecast(times, self.load)

    def fits(self, foreseen: Forecast, plan: ParallelPlan) -> bool:
        """Whether every device may hold what a plan gives it."""
        held = zip(plan.devices, foreseen.memory_bytes, strict=True)
        return all(num_bytes <= self.budget_bytes(device) for device, num_bytes in held)

    def with_cluster(self, cluster: ClusterProfile) -> "PlanProblem":
        """The same on other devices."""
        return replace(self, cluster=cluster)
