"""Whole Transformers with parked layers give the very numbers of resident ones."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from time import perf_counter_ns

import pytest
import torch

from augment.problem import ProblemError
from workloads.energon.layer_record import held_bytes
from workloads.energon.parked_memory import FileMemory, ParkedMemory
from workloads.energon.parking import Load, OpenMemory, ParkedStore, build_store
from workloads.energon.parking_fit import Budget, fit_parking
from workloads.energon.parking_probe import measured_times
from workloads.energon.plan import plan_engine
from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.exchange import Alone
from workloads.transformer.layer_store import LayerStore, LayerWeights
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_ends, load_layer
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import Span, TensorShare, tensor_shares
from workloads.transformer.stage import Stage
from workloads.transformer.want import Want

LENGTHS = (5, 1, 7)
ROWS = torch.randint(0, 40, (sum(LENGTHS),), generator=torch.Generator().manual_seed(1))


def architecture(family: Family) -> TransformerArchitecture:
    return TransformerArchitecture(
        family=family,
        num_layers=5,
        hidden_size=24,
        num_heads=4,
        num_kv_heads=2 if family is Family.LLAMA else 4,
        head_size=6,
        ffn_size=56,
        vocab_size=40,
        max_length=16,
        activation=Activation.SILU if family is Family.LLAMA else Activation.GELU,
        norm_epsilon=1e-5,
    )


class Rank:
    """One rank's part of a model, without its neighbours."""

    def __init__(self, family: Family, dtype: torch.dtype, share: int, num_shares: int) -> None:
        self.architecture = architecture(family)
        self.place = Place(device=torch.device("cpu"), dtype=dtype)
        self.share: TensorShare = tensor_shares(self.architecture, num_shares)[share]
        self.weights = RandomWeights(self.architecture, 3, dtype)
        self.layers = Span(0, self.architecture.num_layers)

    def load(self, index: int) -> LayerWeights:
        return load_layer(self.architecture, index, self.share, self.weights, self.place)

    def store(self, folder: Path, num_parked: int, distance: int = 1) -> LayerStore:
        plan = replace(plan_engine(self.architecture, num_parked=num_parked), prefetch_distance=distance)
        return build_store(self.load, self.layers, plan, folder=folder, clock=perf_counter_ns)

    @torch.inference_mode()
    def forward(self, store: LayerStore) -> torch.Tensor:
        stage = Stage(
            architecture=self.architecture,
            layers=self.layers,
            share=self.share,
            store=store,
            ends=load_ends(self.architecture, self.layers, self.share, self.weights, self.place),
            exchange=Alone(),
            place=self.place,
        )
        return stage.forward(ROWS, Layout(lengths=LENGTHS), Want.ALL_ROWS)


@pytest.mark.parametrize("share", [(0, 1), (0, 3), (1, 2)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", [Family.GPT2, Family.LLAMA, Family.BERT])
def test_every_family_type_and_share_computes_the_same_parked(
    family: Family, dtype: torch.dtype, share: tuple[int, int], tmp_path: Path
) -> None:
    if family is Family.LLAMA and share[1] > 2:
        share = (1, 2)  # it has two groups of keys and values
    rank = Rank(family, dtype, *share)
    store = rank.store(tmp_path, num_parked=4)
    assert isinstance(store, ParkedStore)
    expected = rank.forward(rank.store(tmp_path, num_parked=0))
    for _ in range(3):
        assert torch.equal(rank.forward(store), expected)
    store.close()


def test_a_pass_of_one_stage_of_a_pipeline_begins_where_its_layers_do(tmp_path: Path) -> None:
    rank = Rank(Family.GPT2, torch.float32, 0, 1)
    plan = replace(plan_engine(rank.architecture, pipeline_parallel=2, num_parked=2), prefetch_distance=1)
    for layers in plan.stages:
        store = build_store(rank.load, layers, plan, folder=tmp_path, clock=perf_counter_ns)
        for index in layers:
            with store.layer(index) as weights:
                assert all(torch.equal(weight, weights[name]) for name, weight in rank.load(index).items())
        store.close()


def test_times_of_a_layer_are_measured_with_the_clock_that_is_handed_in(tmp_path: Path) -> None:
    rank = Rank(Family.GPT2, torch.float32, 0, 1)
    now_ns = [0]
    computed: list[LayerWeights] = []

    def compute(weights: LayerWeights) -> None:
        now_ns[0] += 300
        computed.append(weights)

    class Slow(FileMemory):
        def fetch(self, place: int, piece: torch.Tensor) -> None:
            super().fetch(place, piece)
            now_ns[0] += 70

    def memory_of(_: torch.device, num_places: int, place_bytes: int) -> ParkedMemory:
        return Slow(tmp_path, num_places, place_bytes)

    load: Load = rank.load
    opener: OpenMemory = memory_of
    times = measured_times(load, 1, compute, opener, lambda: now_ns[0])
    assert (times.copy_ns, times.compute_ns) == (70, 300)
    for name, weight in rank.load(1).items():
        assert torch.equal(computed[-1][name], weight)


def test_a_budget_becomes_a_plan_that_keeps_to_it(tmp_path: Path) -> None:
    rank = Rank(Family.GPT2, torch.float32, 0, 1)
    layer_bytes = held_bytes(rank.load(0))
    ends_bytes = held_bytes(load_ends(rank.architecture, rank.layers, rank.share, rank.weights, rank.place))
    budget = Budget(
        bytes=ends_bytes + 1000 + 4 * layer_bytes,
        other_bytes=1000,
        layout=Layout(lengths=LENGTHS),
        folder=tmp_path,
        clock=count(step=1000).__next__,
    )
    plan = plan_engine(rank.architecture)
    fitted = fit_parking(rank.architecture, plan, rank.weights, rank.place, budget)
    assert 0 < fitted.num_parked < rank.architecture.num_layers
    assert fitted.resident_bytes <= budget.bytes
    plenty = replace(budget, bytes=10**9)
    assert fit_parking(rank.architecture, plan, rank.weights, rank.place, plenty).num_parked == 0
    with pytest.raises(ProblemError, match="holds no stage of 5 layers"):
        fit_parking(rank.architecture, plan, rank.weights, rank.place, replace(budget, bytes=2000))


@pytest.mark.parametrize("stages", [1, 2, 5])
def test_any_stages_and_shares_can_be_fitted(stages: int, tmp_path: Path) -> None:
    for family in (Family.GPT2, Family.LLAMA, Family.BERT):
        rank = Rank(family, torch.float32, 0, 1)
        plan = plan_engine(rank.architecture, tensor_parallel=2, pipeline_parallel=stages)
        budget = Budget(bytes=10**6, layout=Layout(lengths=LENGTHS), folder=tmp_path, clock=count().__next__)
        assert fit_parking(rank.architecture, plan, rank.weights, rank.place, budget).num_parked == 0


def test_a_distance_below_zero_is_refused(tmp_path: Path) -> None:
    rank = Rank(Family.GPT2, torch.float32, 0, 1)
    with pytest.raises(ProblemError, match="prefetch_distance is -1"):
        rank.store(tmp_path, num_parked=2, distance=-1)
