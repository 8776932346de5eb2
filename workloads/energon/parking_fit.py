"""How many layers an engine must park to keep to a budget, and how far ahead to fetch: found by measuring."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from workloads.energon.layer_record import held_bytes, record_of
from workloads.energon.parked_memory import open_memory
from workloads.energon.parking import Clock
from workloads.energon.parking_plan import ParkingPlan, StageBytes, plan_parking
from workloads.energon.parking_probe import measured_times
from workloads.energon.plan import EnginePlan
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.exchange import Alone
from workloads.transformer.layer_store import LayerWeights, ResidentStore, WeightSource
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_ends, load_layer
from workloads.transformer.place import Place
from workloads.transformer.split import Span
from workloads.transformer.stage import Stage
from workloads.transformer.want import Want


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one rank may hold on its device, and what it is to be planned for."""

    bytes: int
    other_bytes: int = 0
    """Of it for what is no weight: caches, rows in work, messages."""
    layout: Layout
    """A typical pass."""
    folder: Path
    """Where a CPU parks layers."""
    clock: Clock


def fit_parking(
    architecture: TransformerArchitecture,
    plan: EnginePlan,
    weights: WeightSource,
    place: Place,
    budget: Budget,
) -> ParkingPlan:
    """A plan for the stage with the most layers, from times of one of its layers measured on this device.

    Its ``num_parked`` and ``distance`` are those that ``launch`` takes. Sums between ranks are not
    measured: they leave copies more time.

    Raises:
        ProblemError: when not even the buffers fit.
        ParkingError: when a layer cannot be parked.
    """
    share = plan.shares[0]  # none has more: even splits give the rest to the first
    layers = max(plan.stages, key=len)
    index = (layers.begin + layers.end) // 2
    one = Span(index, index + 1)

    def load(layer: int) -> LayerWeights:
        return load_layer(architecture, layer, share, weights, place)

    def ends_of(some: Span) -> LayerWeights:
        return load_ends(architecture, some, share, weights, place)

    def stage_of(held: LayerWeights) -> Stage:
        return Stage(
            architecture=architecture,
            layers=one,
            share=share,
            store=ResidentStore({index: held}),
            ends=one_ends,
            exchange=Alone(),
            place=place,
        )

    one_ends = ends_of(one)
    memory_of = partial(open_memory, folder=budget.folder, peer=None)
    times = measured_times(
        load, index, lambda held: _pass(stage_of(held), budget.layout), memory_of, budget.clock
    )
    stage = StageBytes(
        num_layers=len(layers),
        layer_bytes=record_of(load(index)).num_bytes,
        other_bytes=budget.other_bytes + max(held_bytes(ends_of(stage)) for stage in plan.stages),
    )
    return plan_parking(budget.bytes, stage, times)


@torch.inference_mode()
def _pass(stage: Stage, layout: Layout) -> torch.Tensor:
    """Through one layer; that of a small model may have its embedding or head besides."""
    if stage.is_first:
        rows = torch.zeros(layout.num_rows, dtype=torch.int64, device=stage.place.device)
    else:
        size = (layout.num_rows, stage.architecture.hidden_size)
        rows = torch.ones(size, dtype=stage.place.dtype, device=stage.place.device)
    return stage.forward(rows, layout, Want.LAST_ROWS)
