import pytest

from augment.problem import Problem, ProblemError, Shape
from workloads.galaxy.cost import Galaxy
from workloads.galaxy.shapes import GalaxyShape, Parallelism
from workloads.galaxy.wire_format import WireFormat

SMALL = {"layers": 2, "hidden": 32, "heads": 4}


def shape(data: dict[str, int | float | str] | None = None, **model: int | str) -> GalaxyShape:
    sizes = {**SMALL, **model} if "name" not in model else model
    return GalaxyShape.from_problem(
        Problem(data=Shape.of({"sequence": 16, **(data or {})}), model=Shape.of(sizes))
    )


def test_a_problem_that_says_little_is_planned_automatically_on_devices_as_they_are() -> None:
    found = shape()
    assert (found.parallelism, found.wire, found.num_tiles) == (Parallelism.AUTO, WireFormat.EXACT, 0)
    assert not found.devices.are_paced
    assert not found.devices.has_paced_links
    assert found.request_label == "16 tokens"
    assert found.model_label == "2 x 32, gpt2, 4 heads, auto"


def test_labels_tell_all_that_is_said() -> None:
    found = shape(
        {"new_tokens": 3, "link_mbit": 125, "delay_us": 200, "speeds": "20:10:5", "memory_mb": "1500:700"},
        name="gpt2-124m", strategy="hybrid", wire="int8", tiles=4,
    )  # fmt: skip
    assert found.request_label == "16 tokens, 3 new"
    assert found.model_label == "gpt2-124m, hybrid, int8, 4 tiles"
    assert found.devices.links_label == "125 Mbit/s + 200 us"
    assert found.devices.devices_label == "20:10:5 GFLOP/s paced, 1500:700 MB"


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ProblemError) as error:
        shape(
            {"sequence": 0, "delay_us": 5, "speeds": "20:x", "link_mbit": -1, "memory_mb": "0", "nodes": 2},
            strategy="magic", wire="fp4", tiles=-1, layers=0,
        )  # fmt: skip
    words = str(error.value)
    for part in (
        "the data shape has no size 'nodes'", "sequence is 0", "delay_us is 5, but links are as the network",
        "speeds is '20:x'", "link_mbit is '-1'", "memory_mb is '0'", "strategy is 'magic'; use auto, hybrid",
        "wire is 'fp4'; use exact, bfloat16, int8", "tiles is -1", "layers is 0",
    ):  # fmt: skip
        assert part in words


@pytest.mark.parametrize(
    ("data", "model", "message"),
    [
        ({"sequence": 600}, {"name": "bert-large"}, "600 tokens together, but the model's context is 512"),
        ({"new_tokens": 1}, {"name": "distilbert"}, "an encoder, which generates nothing"),
        ({}, {"name": "bert-large", "layers": 3}, "a published model has sizes of its own"),
        ({}, {"family": "rnn"}, "family 'rnn' is unknown"),
    ],
)
def test_models_that_cannot_do_it_are_refused(
    data: dict[str, int], model: dict[str, int | str], message: str
) -> None:
    with pytest.raises(ProblemError, match=message):
        shape(data, **model)


@pytest.mark.parametrize("value", [True, float("nan"), "fast", "20:0", ":".join(["1"] * 65)])
def test_mixes_are_numbers_above_0(value: object) -> None:
    with pytest.raises(ProblemError, match="speeds is"):
        shape({"speeds": value})  # type: ignore[dict-item]


def test_every_size_of_an_axis_can_be_given() -> None:
    data = {"sequence": 8, "new_tokens": 1, "link_mbit": 10, "delay_us": 1, "speeds": 5, "memory_mb": 900}
    model = {**SMALL, "family": "llama", "kv_heads": 2, "ffn": 48, "vocab": 64}
    model |= {"strategy": "even", "wire": "bfloat16", "tiles": 2}
    Galaxy().check(Problem(data=Shape.of(data), model=Shape.of(model)))
    axes = {axis.name: set(axis.sizes) for axis in Galaxy().axes}
    assert axes["data"] | axes["cluster"] == set(data)
    assert axes["model"] == {*model, "name"}
