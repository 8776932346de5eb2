import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import Problem, ProblemError, Shape
from workloads.energon.cost import Energon
from workloads.energon.passes import decode_layout, pass_sums, prompt_layouts
from workloads.energon.shapes import EnergonShape
from workloads.transformer.architecture import Activation, Family
from workloads.transformer.ladder import LADDER

SIZED = {"layers": 2, "hidden": 24, "heads": 3}


def shape(model: dict | None = None, **data: object) -> EnergonShape:
    problem = Problem(
        data=Shape.of({"sequence": 20, **data}), model=Shape.of(SIZED if model is None else model)
    )
    return EnergonShape.from_problem(problem)


def test_what_is_not_given_is_plain_prefill_of_full_sequences() -> None:
    found = shape()
    assert (found.valid_percent, found.is_packed, found.num_batches) == (100, True, 1)
    assert (found.num_new_tokens, found.num_parked) == (0, 0)
    assert found.architecture.family is Family.GPT2
    assert (found.architecture.ffn_size, found.architecture.num_kv_heads) == (96, 3)
    assert found.architecture.vocab_size == 50_257


def test_a_gated_mlp_has_the_columns_of_its_papers_rule() -> None:
    found = shape({"family": "llama", "layers": 32, "hidden": 4096, "heads": 32}).architecture
    assert found.ffn_size == 11_008  # Llama 2 7B
    assert (found.activation, found.vocab_size, found.is_head_tied) == (Activation.SILU, 32_000, False)


@pytest.mark.parametrize("model", LADDER, ids=lambda model: model.name)
def test_every_published_model_is_a_rung(model: object) -> None:
    name = model.name  # type: ignore[attr-defined]
    found = shape({"name": name})
    assert found.architecture == model.architecture  # type: ignore[attr-defined]
    assert found.model_label == name
    cost = Energon().cost(
        Problem(data=Shape.of(sequence=64), model=Shape.of(name=name)), batch_per_rank=1, precision="bfloat16"
    )
    assert cost.flops > 64 * cost.axis_sizes["model"]


@pytest.mark.parametrize(
    ("model", "data", "told"),
    [
        ({}, {"sequence": 0}, "sequence is 0; give a whole number from 1"),
        ({}, {"valid_percent": 101}, "valid_percent is 101; give a whole number from 1 to 100"),
        ({}, {"packed": 2}, "packed is 2; give a whole number from 0 to 1"),
        ({}, {"packed": True}, "packed is True"),
        ({}, {"new_tokens": -1}, "new_tokens is -1; give a whole number from 0"),
        ({}, {"length": 8}, "the data shape has no size 'length'; its sizes are sequence, valid_percent"),
        ({"heads": 5}, {}, "24 columns of the hidden state cannot be shared by 5 heads"),
        ({"family": "llama", "heads": 8}, {}, "shared by 8 heads of an even number of columns"),
        ({"kv_heads": 2}, {}, "3 heads of queries cannot share 2 heads"),
        ({"family": "t5"}, {}, "family 't5' is unknown; use gpt2, opt, llama, bert"),
        ({"family": "bert"}, {"new_tokens": 1}, "bert is an encoder, which generates nothing"),
        ({"parked": 3}, {}, "parked is 3, but the model has 2 layers"),
        ({"name": "gpt2-124m"}, {}, "has a name and heads, hidden, layers"),
    ],
)
def test_what_cannot_be_built_is_told(model: dict, data: dict, told: str) -> None:
    with pytest.raises(ProblemError, match=told):
        shape({**SIZED, **model}, **data)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ProblemError) as caught:
        shape({"hidden": 0, "heads": 1}, sequence=1.5, packed="on")
    assert len(str(caught.value).splitlines()) == 4  # layers is missing too


def test_a_sequence_beyond_the_context_of_a_published_model_is_refused() -> None:
    assert shape({"name": "gpt2-124m"}, sequence=1000, new_tokens=24)
    with pytest.raises(ProblemError, match="1025 tokens together, but the model's context is 1024"):
        shape({"name": "gpt2-124m"}, sequence=1000, new_tokens=25)
    with pytest.raises(ProblemError, match="No published model is called 'gpt5'"):
        shape({"name": "gpt5"})


@given(
    longest=st.integers(1, 3000),
    percent=st.integers(1, 100),
    batch=st.integers(1, 9),
    batches=st.integers(1, 9),
)
def test_lengths_have_the_asked_mean_whatever_their_number(
    longest: int, percent: int, batch: int, batches: int
) -> None:
    found = prompt_layouts(shape(sequence=longest, valid_percent=percent, batches=batches), batch)
    lengths = [length for layout in found for length in layout.lengths]
    assert [layout.num_sequences for layout in found] == [batch] * batches
    assert all(1 <= length <= longest for length in lengths)
    mean = sum(lengths) / len(lengths)
    assert abs(mean - longest * percent / 100) <= 1
    assert (percent < 100) or set(lengths) == {longest}


def test_padding_goes_up_to_the_longest_and_is_no_row_of_a_packed_pass() -> None:
    packed, padded = (prompt_layouts(shape(valid_percent=50, packed=flag), 4) for flag in (1, 0))
    assert [layout.lengths for layout in packed] == [layout.lengths for layout in padded]
    assert [layout.num_rows for layout in padded] == [80]
    assert [layout.num_rows for layout in packed] == [40]
    (prompt,) = padded
    decode = decode_layout(prompt, 2)
    assert decode.num_rows == 4
    assert decode.past == tuple(length + 2 for length in prompt.lengths)


def test_pairs_of_decode_passes_are_those_of_each_pass_summed_up() -> None:
    of = shape(valid_percent=60, batches=2, new_tokens=5)
    decodes = pass_sums(of, 3)[1]
    layouts = [decode_layout(prompt, step) for step in range(5) for prompt in prompt_layouts(of, 3)]
    assert decodes.num_passes == len(layouts)
    assert decodes.num_rows == sum(layout.num_rows for layout in layouts)
    assert decodes.num_pairs == sum(past + 1 for layout in layouts for past in layout.past)


def test_labels_tell_rungs_apart() -> None:
    energon = Energon()

    def label(axis: str, **sizes: object) -> str:
        model = {
            **SIZED,
            **{name: size for name, size in sizes.items() if name in ("kv_heads", "parked", "family")},
        }
        data = {"sequence": 20, **{name: size for name, size in sizes.items() if name not in model}}
        return energon.describe(Problem(data=Shape.of(data), model=Shape.of(model)), axis)

    assert label("data") == "20 tokens"
    assert label("data", packed=0, valid_percent=50, batches=3) == "20 padded, 50 % real, 3 passes"
    assert label("data", new_tokens=4) == "20 tokens, 4 new"
    assert label("model") == "2 x 24, gpt2, 3 heads"
    assert label("model", kv_heads=1, parked=1, family="opt") == "2 x 24, opt, 3 heads, 1 kv heads, 1 parked"
    with pytest.raises(ProblemError, match="axis 'time' is unknown to energon; its axes are data, model"):
        label("time")
