"""Stages with parked layers: the same numbers as with all of them on the device, and less memory."""

import gc
import json
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from workloads.energon.parked_memory import FileMemory
from workloads.energon.parking import ParkedStore, build_store
from workloads.energon.parking_error import ParkingError
from workloads.energon.parking_plan import parked_layers
from workloads.energon.plan import EnginePlan, plan_engine
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.layer_store import LayerStore, LayerWeights, ResidentStore
from workloads.transformer.split import Span

HIDDEN = 24
CHILD = "tests.workloads.energon.parking_child"
ROOT = Path(__file__).parents[3]


def architecture(num_layers: int) -> TransformerArchitecture:
    return TransformerArchitecture(
        family=Family.GPT2,
        num_layers=num_layers,
        hidden_size=HIDDEN,
        num_heads=2,
        num_kv_heads=2,
        head_size=HIDDEN // 2,
        ffn_size=4 * HIDDEN,
        vocab_size=50,
        max_length=16,
        activation=Activation.GELU_TANH,
        norm_epsilon=1e-5,
    )


def plan(num_layers: int, num_parked: int, distance: int) -> EnginePlan:
    return replace(plan_engine(architecture(num_layers), num_parked=num_parked), prefetch_distance=distance)


def load(index: int) -> LayerWeights:
    generator = torch.Generator().manual_seed(index)
    return {
        "up": torch.randn(4 * HIDDEN, HIDDEN, generator=generator) / 5,
        "bias": torch.randn(4 * HIDDEN, generator=generator),
        "down": torch.randn(4 * HIDDEN, HIDDEN, generator=generator).T / 10,
    }


def forward(store: LayerStore, layers: Span, rows: Tensor) -> Tensor:
    for index in layers:
        with store.layer(index) as weights:
            hidden = functional.gelu(functional.linear(rows, weights["up"], weights["bias"]))
            rows = rows + functional.linear(hidden, weights["down"])
    return rows


def broken_pass(store: LayerStore, layers: range) -> None:
    for index in layers:
        with store.layer(index):
            if index == layers[-1]:
                raise ZeroDivisionError


def parked(layers: Span, num_parked: int, distance: int, folder: Path) -> LayerStore:
    return build_store(
        load, layers, plan(len(layers), num_parked, distance), folder=folder, clock=perf_counter_ns
    )


@pytest.mark.parametrize("distance", [0, 1, 2, 3])
@pytest.mark.parametrize("num_parked", [1, 2, 3, 5])
def test_parked_layers_give_exactly_the_numbers_of_resident_ones(
    num_parked: int, distance: int, tmp_path: Path
) -> None:
    layers = Span(2, 7)
    resident = ResidentStore({index: load(index) for index in layers})
    store = parked(layers, num_parked, distance, tmp_path)
    for seed in range(4):
        rows = torch.randn(6, HIDDEN, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(forward(store, layers, rows), forward(resident, layers, rows))
    store.close()


def test_nothing_parked_is_a_resident_store(tmp_path: Path) -> None:
    store = parked(Span(0, 3), 0, 1, tmp_path)
    assert isinstance(store, ResidentStore)
    assert list(tmp_path.iterdir()) == []


def test_each_layer_is_loaded_once_and_a_parked_one_is_gone_before_the_next(tmp_path: Path) -> None:
    loaded: list[int] = []
    alive: list[int] = []
    references: dict[int, weakref.ref[Tensor]] = {}

    def watched(index: int) -> LayerWeights:
        alive.append(sum(reference() is not None for reference in references.values()))
        loaded.append(index)
        weights = load(index)
        references[index] = weakref.ref(weights["up"])
        return weights

    layers = Span(0, 6)
    store = build_store(watched, layers, plan(6, 4, 1), folder=tmp_path, clock=perf_counter_ns)
    assert sorted(loaded) == list(layers)
    assert loaded[:4] == list(parked_layers(layers, 4))
    assert alive == [0, 0, 0, 0, 0, 1]
    store.close()


def test_the_next_pass_after_one_that_failed_in_the_middle_is_right(tmp_path: Path) -> None:
    layers = Span(0, 6)
    resident = ResidentStore({index: load(index) for index in layers})
    store = parked(layers, 3, 1, tmp_path)
    rows = torch.ones(2, HIDDEN)
    for broken_at in layers:
        with pytest.raises(ZeroDivisionError):
            broken_pass(store, range(layers.begin, broken_at + 1))
        assert torch.equal(forward(store, layers, rows), forward(resident, layers, rows))
    store.close()


def test_an_error_of_the_file_fails_one_pass_and_not_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = Span(0, 6)
    fetch = FileMemory.fetch
    failures = [OSError(5, "Input/output error")]

    def failing(memory: FileMemory, place: int, piece: Tensor) -> None:
        if place == 2 and failures:
            raise failures.pop()
        fetch(memory, place, piece)

    monkeypatch.setattr(FileMemory, "fetch", failing)
    store = parked(layers, 3, 1, tmp_path)
    rows = torch.ones(2, HIDDEN)
    with pytest.raises(ParkingError, match="layer 5 could not be fetched: OSError"):
        forward(store, layers, rows)
    resident = ResidentStore({index: load(index) for index in layers})
    assert torch.equal(forward(store, layers, rows), forward(resident, layers, rows))
    store.close()


@pytest.mark.parametrize("failing_at", [1, 3, 0])
def test_a_load_that_fails_leaves_no_file_open(failing_at: int, tmp_path: Path) -> None:
    def broken(index: int) -> LayerWeights:
        if index == failing_at:
            raise ValueError("no such layer")
        return load(index)

    with pytest.raises(ValueError, match="no such layer"):
        build_store(broken, Span(0, 4), plan(4, 2, 1), folder=tmp_path, clock=perf_counter_ns)
    open_files = [str(path.resolve()) for path in Path("/proc/self/fd").iterdir()]
    assert not [path for path in open_files if str(tmp_path) in path]


def test_waiting_is_counted_by_the_clock_that_was_handed_in(tmp_path: Path) -> None:
    ticks = iter(range(0, 10_000, 7))
    layers = Span(0, 4)
    store = build_store(load, layers, plan(4, 2, 1), folder=tmp_path, clock=lambda: next(ticks))
    assert isinstance(store, ParkedStore)
    forward(store, layers, torch.ones(1, HIDDEN))
    assert store.waited_ns == 2 * 7
    store.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = parked(Span(0, 4), 2, 1, tmp_path)
    store.close()
    with pytest.raises(ParkingError, match="closed"), store.layer(1):
        pass


def test_buffers_go_with_the_closed_store_and_not_at_some_later_collection(tmp_path: Path) -> None:
    store = parked(Span(0, 4), 2, 1, tmp_path)
    with store.layer(1) as weights:
        buffer = weakref.ref(weights["up"])
    del weights
    store.close()
    gc.disable()
    try:
        del store
        assert buffer() is None
    finally:
        gc.enable()


def memory_of_child(*words: str, folder: Path) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", CHILD, *words, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_model_of_more_than_twice_the_budget_runs_within_it(tmp_path: Path) -> None:
    """Anonymous memory is limited by the kernel in the child: beyond the budget it could not allocate."""
    found = memory_of_child("parked", folder=tmp_path)
    assert found["model_bytes"] > 2 * found["budget_bytes"]
    assert found["planned_bytes"] <= found["budget_bytes"]
    assert found["peak_bytes"] <= found["budget_bytes"] + found["slack_bytes"]
    assert found["is_equal"]


@pytest.mark.slow
def test_the_same_model_with_every_layer_resident_breaks_the_limit(tmp_path: Path) -> None:
    found = memory_of_child("resident", folder=tmp_path)
    assert not found["has_run"] or found["peak_bytes"] > found["budget_bytes"] + found["slack_bytes"]
