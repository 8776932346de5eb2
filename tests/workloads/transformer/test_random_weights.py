"""Random weights: the same on every rank, whatever part of them it reads."""

import hashlib
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from workloads.transformer.architecture import Activation, Family, TransformerArchitecture
from workloads.transformer.errors import WeightError
from workloads.transformer.ladder import named
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import Span
from workloads.transformer.weight_names import HEAD, TOKENS, weight_shapes

TINY = TransformerArchitecture(
    family=Family.GPT2,
    num_layers=2,
    hidden_size=24,
    num_heads=3,
    num_kv_heads=3,
    head_size=8,
    ffn_size=40,
    vocab_size=61,
    max_length=19,
    activation=Activation.GELU_TANH,
    norm_epsilon=1e-5,
)
NAMES = sorted(weight_shapes(TINY))


@given(name=st.sampled_from(NAMES), seed=st.integers(0, 3), data=st.data())
def test_any_part_is_that_part_of_the_whole(name: str, seed: int, data: st.DataObject) -> None:
    weights, shape = RandomWeights(TINY, seed), weight_shapes(TINY)[name]
    whole = weights.read(name, [None] * len(shape))
    ends = [sorted(data.draw(st.tuples(st.integers(0, size), st.integers(0, size)))) for size in shape]
    part = weights.read(name, [Span(begin, end) for begin, end in ends])
    assert torch.equal(part, whole[tuple(slice(begin, end) for begin, end in ends)])
    assert whole.shape == shape


def test_parts_of_weights_larger_than_what_is_made_at_a_time_are_the_same() -> None:
    weights = RandomWeights(named("gpt2-124m"), 5)
    whole = weights.read(TOKENS, [None, None])
    assert torch.equal(
        weights.read(TOKENS, [Span(40_001, 50_003), Span(7, 400)]), whole[40_001:50_003, 7:400]
    )


def test_a_seed_gives_the_same_weights_in_every_process_and_for_ever() -> None:
    weights, total = RandomWeights(TINY, 7), hashlib.sha256()
    for name, shape in weight_shapes(TINY).items():
        total.update(weights.read(name, [None] * len(shape)).numpy().tobytes())
    assert total.hexdigest().startswith("7f64df5e58c58839")  # what was recorded with a seed stays what it is


def test_another_seed_and_another_name_give_other_weights() -> None:
    first, second = RandomWeights(TINY, 1), RandomWeights(TINY, 2)
    key = first.read("layer.0.attention.key.weight", [None, None])
    assert not torch.equal(key, second.read("layer.0.attention.key.weight", [None, None]))
    assert not torch.equal(key, first.read("layer.1.attention.key.weight", [None, None]))
    assert not torch.equal(key, first.read("layer.0.attention.value.weight", [None, None]))


@pytest.mark.parametrize(
    ("name", "mean", "deviation"),
    [
        ("layer.0.mlp.up.weight", 0.0, 0.02),
        ("layer.3.mlp.down.weight", 0.0, 0.02 / 24**0.5),
        ("layer.3.attention.output.weight", 0.0, 0.02 / 24**0.5),
        ("layer.1.mlp.up.bias", 0.0, 0.02),
        ("layer.1.norm_mlp.weight", 1.0, 0.02),
        ("embedding.positions", 0.0, 0.02),
    ],
)
def test_weights_are_normally_distributed(name: str, mean: float, deviation: float) -> None:
    architecture = named("gpt2-124m")
    drawn = RandomWeights(architecture, 3).read(name, [None] * len(weight_shapes(architecture)[name]))
    standard = (drawn.double() - mean) / deviation
    few = 6 / standard.numel() ** 0.5
    assert abs(standard.mean()) < few
    assert abs(standard.square().mean() - 1) < 2 * few
    assert abs(standard.pow(3).mean()) < 4 * few
    assert abs(standard.pow(4).mean() - 3) < 20 * few
    assert standard.abs().max() < 4.4  # the outermost of 65536 levels


def test_neighbours_and_rows_are_not_correlated() -> None:
    drawn = RandomWeights(named("gpt2-124m"), 3).read("layer.0.mlp.up.weight", [None, None]) / 0.02
    for shift in ((0, 1), (0, 16), (1, 0), (3, 5)):
        product = drawn * torch.roll(drawn, shift, (0, 1))
        assert abs(product.mean()) < 6 / drawn.numel() ** 0.5


def test_a_tied_head_is_the_embedding_and_another_is_not() -> None:
    tokens = RandomWeights(TINY, 1).read(TOKENS, [None, None])
    assert torch.equal(RandomWeights(TINY, 1).read(HEAD, [Span(4, 9), None]), tokens[4:9])
    free = RandomWeights(replace(TINY, is_head_tied=False), 1)
    assert not torch.equal(free.read(HEAD, [None, None]), tokens)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_types_hold_the_same_numbers_rounded(dtype: torch.dtype) -> None:
    whole = RandomWeights(TINY, 1).read("layer.0.mlp.up.weight", [None, None])
    other = RandomWeights(TINY, 1, dtype).read("layer.0.mlp.up.weight", [None, None])
    assert other.dtype is dtype
    assert torch.equal(other, whole.to(dtype))


@pytest.mark.parametrize(
    ("name", "spans", "words"),
    [
        ("layer.2.mlp.up.weight", [None, None], "no weight 'layer.2.mlp.up.weight'"),
        (TOKENS, [None], r"shape \[61, 24\], but 1 spans"),
        (TOKENS, [Span(0, 62), None], r"0 to 62 of 61"),
        (TOKENS, [Span(5, 4), None], r"5 to 4 of 61"),
        (TOKENS, [Span(-1, 4), None], r"-1 to 4 of 61"),
    ],
)
def test_what_is_not_there_is_refused_by_name(name: str, spans: list[Span | None], words: str) -> None:
    with pytest.raises(WeightError, match=words):
        RandomWeights(TINY, 0).read(name, spans)
