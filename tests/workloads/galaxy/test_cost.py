from typing import Any

import pytest

from augment.problem import Problem, ProblemError, Shape
from workloads.energon.cost import Energon
from workloads.galaxy.cost import Galaxy
from workloads.galaxy.plan import Strategy
from workloads.galaxy.planning.plan_error import PlanError
from workloads.galaxy.shapes import Parallelism
from workloads.galaxy.traffic import Links, request_traffic
from workloads.galaxy.wire_format import WireFormat
from workloads.protocol import Cost, Degrees
from workloads.transformer.ladder import named

GALAXY = Galaxy()
MODELS: dict[str, dict[str, Any]] = {
    "gpt2": {"layers": 3, "hidden": 32, "heads": 4, "vocab": 101},
    "llama": {"family": "llama", "layers": 2, "hidden": 32, "heads": 4, "kv_heads": 2, "ffn": 40,
              "vocab": 97},
    "bert": {"family": "bert", "layers": 2, "hidden": 32, "heads": 4, "vocab": 50},
}  # fmt: skip
GIVEN: dict[str, Any] = {"link_mbit": 125, "speeds": "20:10:5"}


def problem(model: dict[str, Any], **data: Any) -> Problem:
    return Problem(data=Shape.of({"sequence": 24, **data}), model=Shape.of(model))


def cost_of(of: Problem, devices: int = 1, batch: int = 1, precision: str = "float32") -> Cost:
    degrees = Degrees(tensor_parallel=devices)
    return GALAXY.cost(of, batch_per_rank=batch, precision=precision, degrees=degrees)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("new_tokens", [0, 3])
def test_one_device_does_what_one_rank_of_the_other_engine_does(model: str, new_tokens: int) -> None:
    if model == "bert" and new_tokens:
        return
    of = problem(MODELS[model], new_tokens=new_tokens)
    other = Energon().cost(of, batch_per_rank=1, precision="float32")
    own = cost_of(of)
    assert own.flops == other.flops
    assert own.num_parameters == other.num_parameters
    assert own.axis_sizes == other.axis_sizes
    assert sum(one.memory_bytes for one in own.operations) == pytest.approx(
        sum(one.memory_bytes for one in other.operations), rel=0.15
    )


@pytest.mark.parametrize("strategy", [*Parallelism])
@pytest.mark.parametrize("data", [{}, GIVEN])
def test_devices_together_do_the_products_of_one(strategy: str, data: dict[str, Any]) -> None:
    of = problem({**MODELS["gpt2"], "strategy": strategy}, **data)
    alone, shared = cost_of(of), cost_of(of, devices=2)
    assert shared.flops * 2 == pytest.approx(alone.flops, rel=1e-5)
    assert shared.axis_sizes == alone.axis_sizes
    assert shared.ranks_per_replica == 2
    assert (alone.num_exchanges, alone.exchanged_bytes) == (0, 0)
    assert shared.techniques["parallelism"] == strategy


def test_links_have_a_size_only_where_they_are_given() -> None:
    assert "cluster" not in cost_of(problem(MODELS["gpt2"])).axis_sizes
    sizes = [
        cost_of(problem(MODELS["gpt2"], link_mbit=rate, delay_us=500)).axis_sizes["cluster"]
        for rate in (1000, 100, 10)
    ]
    assert sizes == pytest.approx([8.5, 80.5, 800.5])


def test_what_is_given_is_what_the_mean_device_is_held_to() -> None:
    given = cost_of(problem(MODELS["gpt2"], delay_us=300, **GIVEN), devices=3).given
    assert given is not None
    assert given.flops_per_s == pytest.approx(35e9 / 3)
    assert given.link_bytes_per_s == pytest.approx(125e6 / 8)
    assert given.link_delay_s == pytest.approx(300e-6)
    assert cost_of(problem(MODELS["gpt2"])).given is None


def test_a_ring_of_n_carries_n_minus_1_of_n_rows_four_times_a_layer_but_the_last_gathering() -> None:
    architecture, rows = named("bert-large"), 284
    for devices in (2, 3, 8):
        links = Links(strategy=Strategy.HYBRID, num_devices=devices, wire=WireFormat.EXACT, itemsize=4)
        traffic = request_traffic(architecture, links, rows, 0)
        assert traffic.num_bytes == round((24 * 4 - 1) * (devices - 1) / devices * rows * 1024 * 4)
        assert traffic.num_messages == (24 * 4 - 1) * (devices - 1)


def test_new_tokens_are_told_to_all_others_twice_a_layer() -> None:
    architecture = named("gpt2-124m")
    for strategy in (Strategy.HYBRID, Strategy.TENSOR):
        links = Links(strategy=strategy, num_devices=3, wire=WireFormat.EXACT, itemsize=4)
        alone, more = (request_traffic(architecture, links, 64, new) for new in (0, 5))
        assert more.num_messages - alone.num_messages == 5 * 2 * 12 * 2
        assert more.num_bytes - alone.num_bytes == 5 * 2 * 12 * 2 * 768 * 4


@pytest.mark.parametrize("strategy", ["even", "heuristic"])
@pytest.mark.parametrize("data", [{}, GIVEN])
def test_plans_of_all_devices_go_no_further_than_the_heads(strategy: str, data: dict[str, Any]) -> None:
    of = problem({**MODELS["gpt2"], "strategy": strategy}, **data)
    assert cost_of(of, devices=4).most_degrees == Degrees(tensor_parallel=4)
    with pytest.raises(PlanError, match="5 devices cannot share 4 heads"):
        cost_of(of, devices=5)
    assert cost_of(problem(MODELS["gpt2"], **data), devices=5).most_degrees.tensor_parallel == 64


def test_low_precision_cuts_bytes_and_nothing_else() -> None:
    model = {**MODELS["gpt2"], "strategy": "hybrid"}
    exact, rounded, whole = (
        cost_of(problem({**model, "wire": wire}, **GIVEN), devices=2)
        for wire in ("exact", "bfloat16", "int8")
    )
    assert exact.exchanged_bytes == 2 * rounded.exchanged_bytes
    assert whole.exchanged_bytes * 32 == rounded.exchanged_bytes // 2 * 36
    assert len({cost.flops for cost in (exact, rounded, whole)}) == 1
    assert len({cost.techniques["wire"] for cost in (exact, rounded, whole)}) == 3


def test_budgets_that_fit_no_plan_are_refused_before_anything_runs() -> None:
    of = problem({"name": "opt-2.7b"}, memory_mb="900:700", link_mbit=125, speeds="20:10")
    with pytest.raises(PlanError, match="MB"):
        cost_of(of, devices=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": 2}, "one request at a time"),
        ({"devices": 65}, "give at most 64"),
    ],
)
def test_runs_that_cannot_be_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        cost_of(problem(MODELS["gpt2"]), **arguments)
    with pytest.raises(ProblemError, match="pipeline_parallel is 2"):
        GALAXY.cost(
            problem(MODELS["gpt2"]),
            batch_per_rank=1,
            precision="float32",
            degrees=Degrees(pipeline_parallel=2),
        )


def test_a_plan_is_explained_where_devices_and_links_are_given() -> None:
    degrees = Degrees(tensor_parallel=3)
    given = problem(MODELS["gpt2"], **GIVEN)
    words = GALAXY.explain(given, batch_per_rank=1, precision="float32", degrees=degrees)
    assert words
    assert " ms" in " ".join(words)
    assert not GALAXY.explain(problem(MODELS["gpt2"]), batch_per_rank=1, precision="float32", degrees=degrees)


def test_every_axis_has_its_label() -> None:
    of = problem({**MODELS["gpt2"], "wire": "int8"}, **GIVEN)
    labels = {axis.name: GALAXY.describe(of, axis.name) for axis in GALAXY.axes}
    assert labels == {
        "data": "24 tokens",
        "model": "3 x 32, gpt2, 4 heads, 101 words, auto, int8",
        "cluster": "125 Mbit/s, 20:10:5 GFLOP/s paced",
    }
    with pytest.raises(ProblemError, match="axis 'ranks' is unknown"):
        GALAXY.describe(of, "ranks")
