"""Runs a model of more than twice its budget in a process that the kernel allows no more; JSON on stdout."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns

import torch

from benchmarks.anonymous_memory import Watch, anonymous_bytes
from tests.workloads.energon.little_memory import little_memory
from workloads.energon.layer_record import record_of
from workloads.energon.parking import build_store
from workloads.energon.parking_plan import StageBytes, fewest_parked
from workloads.energon.plan import plan_engine
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.layer_store import LayerStore, LayerWeights, ResidentStore
from workloads.transformer.split import Span

NUM_LAYERS, HIDDEN = 14, 1408  # layers of 7.9 MB
BUDGET_BYTES = 52 * 2**20
SLACK_BYTES = 24 * 2**20
"""Activations, stacks of threads, and what the allocator keeps."""
LAYERS = Span(0, NUM_LAYERS)
DISTANCE = 1


def main(arguments: Sequence[str]) -> None:
    kind, folder = arguments
    torch.set_num_threads(1)
    layer_bytes = record_of(load(0)).num_bytes
    expected = forward_by_one()
    stage = StageBytes(num_layers=NUM_LAYERS, layer_bytes=layer_bytes)
    num_parked = fewest_parked(BUDGET_BYTES, stage, DISTANCE)
    found: dict[str, int] = {
        "model_bytes": NUM_LAYERS * layer_bytes,
        "budget_bytes": BUDGET_BYTES,
        "slack_bytes": SLACK_BYTES,
        "planned_bytes": stage.resident_bytes(num_parked, DISTANCE),
    }
    base_bytes = anonymous_bytes()
    with little_memory(BUDGET_BYTES + SLACK_BYTES):
        watch = Watch()
        try:
            store = parked_store(num_parked, Path(folder)) if kind == "parked" else resident_store()
            with torch.inference_mode():
                rows = [forward(store) for _ in range(3)]
            store.close()
            found["is_equal"] = all(torch.equal(each, expected) for each in rows)
            found["has_run"] = True
        except (RuntimeError, MemoryError):  # torch says RuntimeError: can't allocate memory
            found["has_run"] = False
        found["peak_bytes"] = watch.peak_bytes() - base_bytes
    sys.stdout.write(json.dumps(found))


def parked_store(num_parked: int, folder: Path) -> LayerStore:
    plan = replace(plan_engine(architecture(), num_parked=num_parked), prefetch_distance=DISTANCE)
    return build_store(load, LAYERS, plan, folder=folder, clock=perf_counter_ns)


def resident_store() -> LayerStore:
    return ResidentStore({index: load(index) for index in LAYERS})


def load(index: int) -> LayerWeights:
    generator = torch.Generator().manual_seed(index)
    return {"weight": torch.randn(HIDDEN, HIDDEN, generator=generator)}


@torch.inference_mode()
def forward(store: LayerStore) -> torch.Tensor:
    rows = torch.ones(3, HIDDEN)
    for index in LAYERS:
        with store.layer(index) as weights:
            rows = torch.tanh(rows @ weights["weight"])
    return rows


@torch.inference_mode()
def forward_by_one() -> torch.Tensor:
    rows = torch.ones(3, HIDDEN)
    for index in LAYERS:
        rows = torch.tanh(rows @ load(index)["weight"])
    return rows


def architecture() -> TransformerArchitecture:
    return TransformerArchitecture(
        family=Family.GPT2,
        num_layers=NUM_LAYERS,
        hidden_size=HIDDEN,
        num_heads=2,
        num_kv_heads=2,
        head_size=HIDDEN // 2,
        ffn_size=HIDDEN,
        vocab_size=50,
        max_length=16,
        activation=Activation.GELU,
        norm_epsilon=1e-5,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
