"""Devices in a ring and what each takes of rows, heads and columns, as a plan; arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass

from workloads.galaxy.forecasting.ring_work import ring_tiles
from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy, shares_of, whole_share
from workloads.galaxy.planning.balance import Shares
from workloads.galaxy.planning.plan_bounds import needed_halves
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.seats import Tiles
from workloads.galaxy.profile import NS_PER_S
from workloads.galaxy.wire_format import WireFormat, wire_bytes
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span, TensorShare


@dataclass(frozen=True, slots=True, kw_only=True)
class RingChoice:
    """Devices in an order, with rows and a wire format."""

    strategy: Strategy
    order: tuple[int, ...]
    weights: tuple[float, ...]
    """Of rows, in the order of the ring."""
    wire: WireFormat
    num_tiles: int = 1

    def plan(self, architecture: TransformerArchitecture, shares: Shares | None = None) -> ParallelPlan:
        """The plan with these shares; without, one that knows rows and tiles only."""
        if shares is None:
            parts: Sequence[TensorShare] = (whole_share(architecture),) * len(self.order)
        else:
            parts = shares_of(architecture, shares.heads, shares.columns)
        layers = Span(0, architecture.num_layers)
        return ParallelPlan(
            strategy=self.strategy,
            parts=tuple(
                DevicePart(device=device, share=share, layers=layers, row_weight=weight)
                for device, share, weight in zip(self.order, parts, self.weights, strict=True)
            ),
            num_tiles=self.num_tiles,
            wire=self.wire,
        )

    def tiles(self, problem: PlanProblem) -> Tiles:
        """Those of each place; in the tensor kind every device does all rows at once."""
        num_rows = problem.load.num_tokens
        if self.strategy is Strategy.TENSOR:
            return ((Span(0, num_rows),), *((),) * (len(self.order) - 1))
        return ring_tiles(self.plan(problem.architecture), num_rows)

    def sending_ns(self, problem: PlanProblem) -> float:
        """The busiest link of a ring with these rows, if it never waited."""
        load, halves = problem.load, needed_halves(problem.architecture)
        size = wire_bytes(self.wire, load.num_tokens, problem.architecture.hidden_size, load.itemsize)
        parts = [weight / sum(self.weights) for weight in self.weights]
        busy = []
        for place, device in enumerate(self.order):
            behind = (place + 1) % len(self.order)
            link = problem.cluster.links[device][self.order[behind]]
            busy.append((2.0 - parts[place] - parts[behind]) * size / link.rate)
        # Whole rows may differ from the parts by one each.
        return halves * max(busy) * NS_PER_S * (1 - 2 / max(load.num_tokens, 3))
