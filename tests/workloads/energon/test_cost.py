import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from augment.problem import Problem, ProblemError, Shape
from saih.harness.census import Census
from workloads.energon.cost import Energon, engine_plan
from workloads.energon.memory import layer_weights, peak_memory_bytes
from workloads.energon.parking import build_store
from workloads.energon.passes import pass_sums, prompt_layouts
from workloads.energon.session import EnergonJob
from workloads.energon.shapes import EnergonShape
from workloads.protocol import Cost, Degrees, Surroundings
from workloads.transformer.exchange import TensorExchange
from workloads.transformer.loading import load_layer, load_stage
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import tensor_shares
from workloads.transformer.want import Want
from workloads.transformer.weight_names import layer_shapes

ENERGON = Energon()
BATCH = 3
MODELS: dict[str, dict[str, Any]] = {
    "gpt2": {"layers": 3, "hidden": 32, "heads": 4, "vocab": 101},
    "llama": {
        "family": "llama",
        "layers": 2,
        "hidden": 32,
        "heads": 4,
        "kv_heads": 2,
        "ffn": 40,
        "vocab": 97,
    },
    "bert": {"family": "bert", "layers": 2, "hidden": 32, "heads": 2, "vocab": 50},
}
DATA: dict[str, dict[str, Any]] = {
    "packed": {"sequence": 17, "valid_percent": 45, "batches": 2},
    "padded": {"sequence": 17, "valid_percent": 45, "batches": 2, "packed": 0},
    "generating": {"sequence": 11, "valid_percent": 80, "batches": 2, "new_tokens": 3},
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads cost tiny products more than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def problem(data: str, model: str) -> Problem:
    return Problem(data=Shape.of(DATA[data]), model=Shape.of(MODELS[model]))


def cost_of(of: Problem, batch: int = BATCH, tensor: int = 1, pipeline: int = 1) -> Cost:
    degrees = Degrees(tensor_parallel=tensor, pipeline_parallel=pipeline)
    return ENERGON.cost(of, batch_per_rank=batch, precision="float32", degrees=degrees)


CASES = [(data, model) for data in DATA for model in MODELS if not (data == "generating" and model == "bert")]


@pytest.mark.parametrize(("data", "model"), CASES)
def test_flops_are_those_that_torch_counts(data: str, model: str, tmp_path: Path) -> None:
    of = problem(data, model)
    surroundings = Surroundings(
        rank=0, num_ranks=1, device="cpu", precision="float32", batch_per_rank=BATCH, seed=1,
        data_folder=tmp_path, exchange=None,  # type: ignore[arg-type]
    )  # fmt: skip
    session = EnergonJob().prepare(of, surroundings)
    batch = session.produce(0)
    # Attention in plain products, which the counter knows on every device.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        session.step(batch, lambda _: None)
    census = Census()
    with census:
        session.step(batch, census.marking(lambda _: None))
    session.close()
    assert cost_of(of).flops == counter.get_total_flops()
    assert cost_of(of).flops == sum(one.flops for one in census.operations())


def test_flops_of_one_sequence_are_those_of_the_formula() -> None:
    """24 h^2 l + 4 h l^2 for each layer, and the logits of one row: ``docs/energon.md``."""
    of = Problem(data=Shape.of(sequence=16), model=Shape.of(MODELS["gpt2"]))
    hidden, length = 32, 16
    layer = 24 * hidden**2 * length + 4 * hidden * length**2
    assert cost_of(of, batch=1).flops == 3 * layer + 2 * hidden * 101


@pytest.mark.parametrize(("tensor", "pipeline"), [(2, 1), (1, 2), (2, 2), (4, 3)])
@pytest.mark.parametrize("data", DATA)
def test_ranks_together_do_the_products_of_one(data: str, tensor: int, pipeline: int) -> None:
    of = problem(data, "gpt2")
    alone, shared = cost_of(of), cost_of(of, tensor=tensor, pipeline=pipeline)
    num_ranks = tensor * pipeline
    assert shared.flops * num_ranks == pytest.approx(alone.flops, rel=1e-5)
    assert shared.flops_per_sample == pytest.approx(alone.flops_per_sample, rel=1e-5)
    assert (shared.samples_per_step, shared.axis_sizes) == (alone.samples_per_step, alone.axis_sizes)
    assert shared.ranks_per_replica == num_ranks
    assert (alone.num_exchanges, alone.exchanged_bytes) == (0, 0)


class Counting:
    """A rank among others that all give nothing; counts what it brings."""

    def __init__(self) -> None:
        self.num_bytes: list[int] = []

    def sum(self, part: Tensor) -> Tensor:
        self.num_bytes.append(part.nbytes)
        return part

    def gather(self, part: Tensor, columns: tuple[int, ...]) -> Tensor:
        self.num_bytes.append(part.nbytes)
        return torch.zeros(*part.shape[:-1], sum(columns), dtype=part.dtype)


@pytest.mark.parametrize("model", MODELS)
def test_exchanges_are_those_that_a_rank_makes(model: str) -> None:
    of = problem("packed", model)
    shape = EnergonShape.from_problem(of)
    architecture = shape.architecture
    exchange = Counting()
    accepted: TensorExchange = exchange
    plan = engine_plan(shape, Degrees(tensor_parallel=2))
    stage = load_stage(
        architecture,
        plan.stages[0],
        plan.shares[1],
        RandomWeights(architecture, 0),
        accepted,
        Place(device=torch.device("cpu"), dtype=torch.float32),
    )
    for layout in prompt_layouts(shape, BATCH):
        stage.forward(torch.zeros(layout.num_rows, dtype=torch.int64), layout, Want.LAST_ROWS)
    found = cost_of(of, tensor=2)
    assert found.num_exchanges == len(exchange.num_bytes)
    assert found.exchanged_bytes == pytest.approx(sum(exchange.num_bytes), rel=0.02)  # 101 words in two


def test_a_pipeline_sends_its_rows_once_between_two_stages() -> None:
    of = problem("padded", "bert")
    rows = 2 * BATCH * 17
    found = cost_of(of, pipeline=2)
    assert (
        found.exchanged_bytes == rows * 32 * 4 // 2
    )  # the mean of one rank that sends and one that does not
    assert found.num_exchanges == 1


def test_padding_left_out_costs_no_flops_and_is_another_technique() -> None:
    packed, padded = cost_of(problem("packed", "bert")), cost_of(problem("padded", "bert"))
    assert padded.flops > 2 * packed.flops
    assert packed.axis_sizes["data"] == pytest.approx(0.45 * padded.axis_sizes["data"])
    assert packed.techniques != padded.techniques


@pytest.mark.parametrize(
    ("name", "factor"), [("layers", 2), ("sequence", 3), ("batches", 2), ("new_tokens", 2)]
)
def test_costs_grow_with_every_size(name: str, factor: int) -> None:
    data, model = dict(DATA["generating"]), dict(MODELS["gpt2"])
    small = cost_of(Problem(data=Shape.of(data), model=Shape.of(model)))
    grown = data if name in data else model
    grown[name] *= factor
    large = cost_of(Problem(data=Shape.of(data), model=Shape.of(model)))
    assert large.flops > small.flops
    assert large.peak_memory_bytes >= small.peak_memory_bytes
    axis = "data" if grown is data else "model"
    assert large.axis_sizes[axis] > small.axis_sizes[axis]


@pytest.mark.parametrize("model", MODELS)
def test_a_rank_alone_holds_every_weight_of_a_layer(model: str) -> None:
    architecture = EnergonShape.from_problem(problem("packed", model)).architecture
    (whole,) = tensor_shares(architecture, 1)
    sizes = [torch.Size(shape).numel() for shape in layer_shapes(architecture).values()]
    assert layer_weights(architecture, whole) == sum(sizes)


def test_memory_is_shared_by_ranks_and_left_by_parked_layers() -> None:
    model = Shape.of(name="gpt2-774m")
    shape = EnergonShape.from_problem(Problem(data=Shape.of(sequence=64), model=model))
    parked = EnergonShape.from_problem(
        Problem(data=Shape.of(sequence=64), model=model.with_sizes({"parked": 30}))
    )

    def memory(of: EnergonShape, tensor: int, pipeline: int) -> int:
        plan = engine_plan(of, Degrees(tensor_parallel=tensor, pipeline_parallel=pipeline))
        return peak_memory_bytes(of, plan, 1, 4)

    whole = memory(shape, 1, 1)
    # The head is tied: its weights are those of the embedding, and lie in memory once.
    assert 4 * 774_000_000 < whole < 4 * 774_000_000 * 1.05
    assert 0.5 < memory(shape, 2, 1) / whole < 0.65
    assert 0.5 < memory(shape, 1, 2) / whole < 0.65
    assert memory(parked, 1, 1) < 0.35 * whole


@pytest.mark.parametrize("tensor", [1, 2])
@pytest.mark.parametrize("model", MODELS)
def test_parked_bytes_are_those_of_the_file(
    model: str, tensor: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocated: list[int] = []
    monkeypatch.setattr(os, "posix_fallocate", lambda _file, _begin, length: allocated.append(length))
    of = Problem(data=Shape.of(sequence=8), model=Shape.of({**MODELS[model], "parked": 2}))
    shape = EnergonShape.from_problem(of)
    plan = engine_plan(shape, Degrees(tensor_parallel=tensor))
    weights = RandomWeights(shape.architecture, 0)
    place = Place(device=torch.device("cpu"), dtype=torch.float32)
    for share in plan.shares:
        store = build_store(
            partial(load_layer, shape.architecture, share=share, weights=weights, place=place),
            plan.stages[0],
            plan,
            folder=tmp_path,
            clock=time.perf_counter_ns,
        )
        store.close()
    assert cost_of(of, tensor=tensor).parked_bytes == max(allocated)
    assert cost_of(problem("packed", model)).parked_bytes == 0


def test_kept_keys_and_values_are_part_of_memory() -> None:
    data = {"sequence": 64, "batches": 4}
    model = Shape.of(MODELS["gpt2"])
    without = cost_of(Problem(data=Shape.of(data), model=model))
    with_them = cost_of(Problem(data=Shape.of({**data, "new_tokens": 8}), model=model))
    sequences, layers, columns, positions = 4 * BATCH, 3, 2 * 32, 128
    kept = sequences * layers * columns * positions * 4
    assert with_them.peak_memory_bytes - without.peak_memory_bytes == kept


@pytest.mark.parametrize(
    ("degrees", "told"),
    [
        ({"tensor": 5}, "4 heads of keys and values cannot be shared by 5 ranks"),
        ({"pipeline": 4}, "3 layers cannot make 4 stages"),
    ],
)
def test_a_model_that_cannot_be_divided_so_is_refused(degrees: dict[str, int], told: str) -> None:
    with pytest.raises(ProblemError, match=told):
        cost_of(problem("packed", "gpt2"), **degrees)


def test_batches_out_of_bounds_are_refused() -> None:
    with pytest.raises(ProblemError, match="batch_per_rank is 0"):
        cost_of(problem("packed", "gpt2"), batch=0)
    with pytest.raises(ProblemError, match="600000 x 2 sequences in one step"):
        cost_of(problem("packed", "gpt2"), batch=600_000)
    with pytest.raises(ProblemError, match="precision 'int8' is unknown; use"):
        ENERGON.cost(problem("packed", "gpt2"), batch_per_rank=1, precision="int8")


def test_passes_of_a_step_are_counted_by_kind() -> None:
    shape = EnergonShape.from_problem(problem("generating", "gpt2"))
    prompts, decodes = pass_sums(shape, BATCH)
    assert (prompts.num_passes, decodes.num_passes) == (2, 6)
    assert decodes.num_rows == 6 * BATCH


@pytest.mark.parametrize("parked", [0, 2])
def test_the_most_degrees_are_those_that_a_model_can_be_divided_by(parked: int) -> None:
    of = Problem(
        data=Shape.of(sequence=8), model=Shape.of({**MODELS["llama"], "layers": 7, "parked": parked})
    )
    most = cost_of(of).most_degrees
    assert most == Degrees(tensor_parallel=2, pipeline_parallel=3 if parked else 7)
    cost_of(of, tensor=most.tensor_parallel)
    cost_of(of, pipeline=most.pipeline_parallel)
    for tensor, pipeline in ((most.tensor_parallel + 1, 1), (1, most.pipeline_parallel + 1)):
        with pytest.raises(ProblemError):
            cost_of(of, tensor=tensor, pipeline=pipeline)
