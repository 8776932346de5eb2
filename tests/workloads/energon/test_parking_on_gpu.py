"""Layers parked beside a GPU: copies on a stream of their own, ordered by events."""

from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns

import pytest
import torch
from torch import Tensor

from workloads.energon.parking import build_store
from workloads.energon.plan import EnginePlan, plan_engine
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.layer_store import LayerStore, LayerWeights, ResidentStore
from workloads.transformer.split import Span

pytestmark = [
    pytest.mark.slow,
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is found"),
]

NUM_LAYERS, HIDDEN = 8, 1024
LAYERS = Span(0, NUM_LAYERS)
GPU = torch.device("cuda", 0)


def plan(num_parked: int, distance: int) -> EnginePlan:
    architecture = TransformerArchitecture(
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
    return replace(plan_engine(architecture, num_parked=num_parked), prefetch_distance=distance)


def load(index: int) -> LayerWeights:
    generator = torch.Generator().manual_seed(index)
    return {"weight": (torch.randn(HIDDEN, HIDDEN, generator=generator) / 32).to(GPU)}


def forward(store: LayerStore, rows: Tensor) -> Tensor:
    for index in LAYERS:
        with store.layer(index) as weights:
            for _ in range(20):  # long enough that the host is far ahead of the device
                rows = torch.tanh(rows @ weights["weight"])
    return rows


@pytest.mark.parametrize("distance", [0, 1, 2])
@pytest.mark.parametrize("num_parked", [2, 5, 8])
def test_layers_in_pinned_memory_give_the_numbers_of_resident_ones(
    num_parked: int, distance: int, tmp_path: Path
) -> None:
    resident = ResidentStore({index: load(index) for index in LAYERS})
    store = build_store(load, LAYERS, plan(num_parked, distance), folder=tmp_path, clock=perf_counter_ns)
    for seed in range(5):
        rows = torch.randn(512, HIDDEN, generator=torch.Generator().manual_seed(seed)).to(GPU)
        assert torch.equal(forward(store, rows), forward(resident, rows))
    store.close()


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no second GPU is found")
def test_layers_on_another_gpu_give_the_numbers_of_resident_ones(tmp_path: Path) -> None:
    resident = ResidentStore({index: load(index) for index in LAYERS})
    store = build_store(
        load,
        LAYERS,
        plan(5, 1),
        folder=tmp_path,
        clock=perf_counter_ns,
        peer=torch.device("cuda", 1),
    )
    for seed in range(5):
        rows = torch.randn(512, HIDDEN, generator=torch.Generator().manual_seed(seed)).to(GPU)
        assert torch.equal(forward(store, rows), forward(resident, rows))
    store.close()


def test_a_closed_store_gives_the_memory_of_device_and_host_back(tmp_path: Path) -> None:
    rows = torch.ones(4, HIDDEN, device=GPU)
    forward(ResidentStore({index: load(index) for index in LAYERS}), rows)  # cuBLAS keeps a workspace
    before = torch.cuda.memory_allocated(GPU)
    store = build_store(load, LAYERS, plan(8, 1), folder=tmp_path, clock=perf_counter_ns)
    assert torch.cuda.memory_allocated(GPU) - before == 2 * HIDDEN * HIDDEN * 4
    forward(store, rows)
    store.close()
    del store
    assert torch.cuda.memory_allocated(GPU) == before
