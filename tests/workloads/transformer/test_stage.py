"""What must hold for every Transformer, whatever its weights are."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from tests.workloads.transformer.architectures import ALL, BERT, DECODERS, GPT2, LLAMA, family_name
from tests.workloads.transformer.group_in_threads import CPU64, Model, ThreadExchange, model_of
from workloads.transformer import stage as stage_module
from workloads.transformer.architecture import Family, TransformerArchitecture
from workloads.transformer.errors import RequestError
from workloads.transformer.exchange import Alone
from workloads.transformer.kv_cache import CacheError, CachePool, SequenceCache
from workloads.transformer.layout import Layout
from workloads.transformer.loading import load_stage
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.split import Span, tensor_shares
from workloads.transformer.stage import Stage
from workloads.transformer.want import Want

LIMIT = 1e-11
ROUGH = 1e-6
"""RMSNorm and rotary angles are float32 in every precision: a last digit may turn out otherwise."""
LENGTHS = (7, 1, 12, 12, 3)
SETTINGS = settings(max_examples=40, deadline=None, derandomize=True)


def tokens_of(lengths: Sequence[int], architecture: TransformerArchitecture, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, architecture.vocab_size, (sum(lengths),), generator=generator)


def padded(tokens: Tensor, lengths: Sequence[int], padded_to: int, filling: int = 0) -> Tensor:
    parts = tokens.split(list(lengths))
    return torch.cat([functional.pad(part, (0, padded_to - len(part)), value=filling) for part in parts])


def assert_near(found: Tensor, expected: Tensor, limit: float = LIMIT) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).abs().max() / expected.abs().max()) < limit


@lru_cache
def weights_of(architecture: TransformerArchitecture) -> RandomWeights:
    return RandomWeights(architecture, 1, torch.float64)


@lru_cache
def whole_model(architecture: TransformerArchitecture, num_stages: int = 1) -> Model:
    return model_of(architecture, weights_of(architecture), num_stages=num_stages)


def whole_stage(architecture: TransformerArchitecture) -> Stage:
    (share,) = tensor_shares(architecture, 1)
    layers = Span(0, architecture.num_layers)
    return load_stage(architecture, layers, share, weights_of(architecture), Alone(), CPU64)


@pytest.mark.parametrize("architecture", ALL, ids=family_name)
@SETTINGS
@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=5),
    extra=st.integers(0, 30),
    filling=st.integers(0, 52),
)
def test_padding_and_what_is_in_it_change_nothing(
    architecture: TransformerArchitecture, lengths: list[int], extra: int, filling: int
) -> None:
    model = whole_model(architecture)
    tokens = tokens_of(lengths, architecture)
    packed = model.forward(tokens, Layout(lengths=tuple(lengths)))
    padded_to = max(lengths) + extra
    layout = Layout(lengths=tuple(lengths), padded_to=padded_to)
    assert_near(model.forward(padded(tokens, lengths, padded_to, filling), layout), packed)


@st.composite
def architectures(draw: st.DrawFn) -> TransformerArchitecture:
    family = draw(st.sampled_from(ALL))
    kv_heads, head_size = draw(st.integers(1, 6)), 2 * draw(st.integers(1, 5))
    groups = draw(st.integers(1, 4)) if family is LLAMA else 1
    return replace(
        family,
        num_layers=draw(st.integers(1, 4)),
        hidden_size=draw(st.integers(1, 40)),
        num_heads=kv_heads * groups,
        num_kv_heads=kv_heads,
        head_size=head_size,
        ffn_size=draw(st.integers(kv_heads, 50)),
        vocab_size=draw(st.integers(kv_heads, 60)),
        is_head_tied=draw(st.booleans()),
    )


@SETTINGS
@given(data=st.data(), architecture=architectures())
def test_any_shares_and_stages_give_what_one_rank_gives(
    data: st.DataObject, architecture: TransformerArchitecture
) -> None:
    num_ranks = data.draw(st.integers(1, architecture.num_kv_heads))
    speeds = tuple(
        data.draw(st.lists(st.floats(0.1, 9.0), min_size=num_ranks, max_size=num_ranks), label="speeds")
    )
    num_stages = data.draw(st.integers(1, architecture.num_layers), label="stages")
    lengths = tuple(data.draw(st.lists(st.integers(1, 20), min_size=1, max_size=4), label="lengths"))
    weights = RandomWeights(architecture, 1, torch.float64)
    tokens, layout = tokens_of(lengths, architecture), Layout(lengths=lengths)
    expected = model_of(architecture, weights).forward(tokens, layout)
    found = model_of(architecture, weights, speeds=speeds, num_stages=num_stages).forward(tokens, layout)
    assert_near(found, expected, ROUGH if architecture.family is Family.LLAMA else LIMIT)


@pytest.mark.parametrize("architecture", DECODERS, ids=family_name)
@SETTINGS
@given(data=st.data(), lengths=st.lists(st.integers(1, 20), min_size=1, max_size=4))
def test_sequences_may_come_in_any_pieces(
    architecture: TransformerArchitecture, data: st.DataObject, lengths: list[int]
) -> None:
    model = whole_model(architecture, 2)
    sequences = tokens_of(lengths, architecture).split(lengths)
    seen, rows = [0] * len(lengths), [[] for _ in lengths]
    while any(done < length for done, length in zip(seen, lengths, strict=True)):
        left = [index for index, done in enumerate(seen) if done < lengths[index]]
        chosen = data.draw(st.lists(st.sampled_from(left), min_size=1, unique=True))
        sizes = tuple(data.draw(st.integers(1, lengths[index] - seen[index])) for index in chosen)
        pieces = [
            sequences[one][seen[one] : seen[one] + size] for one, size in zip(chosen, sizes, strict=True)
        ]
        layout = Layout(lengths=sizes, past=tuple(seen[index] for index in chosen))
        found = model.forward(torch.cat(pieces), layout, Want.ALL_ROWS, chosen).split(sizes)
        for index, size, part in zip(chosen, sizes, found, strict=True):
            seen[index] += size
            rows[index].append(part)
    expected = model.forward(torch.cat(sequences), Layout(lengths=tuple(lengths)))
    assert_near(torch.cat([torch.cat(parts) for parts in rows]), expected)


@pytest.mark.parametrize("architecture", ALL, ids=family_name)
def test_a_pass_makes_two_sums_a_layer_and_one_gather_of_what_is_wanted(
    architecture: TransformerArchitecture,
) -> None:
    model = model_of(architecture, weights_of(architecture), speeds=(1.0, 2.0), num_stages=2)
    model.forward(tokens_of(LENGTHS, architecture), Layout(lengths=LENGTHS), Want.LAST_ROWS)
    for stages in model.stages:
        for stage in stages:
            assert isinstance(stage.exchange, ThreadExchange)
            sums = [("sum", (sum(LENGTHS), architecture.hidden_size))] * stage.num_sums
            wanted = ("gather", (len(LENGTHS), len(stage.share.vocabulary)))
            gathers = [wanted] if stage.is_last and architecture.is_decoder else []
            assert stage.exchange.calls == sums + gathers
            assert stage.num_sums == 2 * len(stage.layers)


def test_the_lowest_token_wins_among_equals() -> None:
    class Flat(RandomWeights):
        def read(self, name: str, spans: Sequence[Span | None]) -> Tensor:
            return torch.zeros_like(super().read(name, spans))

    model = model_of(GPT2, Flat(GPT2, 1), speeds=(1.0, 1.0))
    found = model.forward(tokens_of((4, 2), GPT2), Layout(lengths=(4, 2)), Want.NEXT_TOKENS)
    assert found.tolist() == [0, 0]


@pytest.mark.parametrize("padded_to", [None, 12])
@pytest.mark.parametrize("architecture", ALL, ids=family_name)
def test_what_a_stage_is_given_stays_as_it_is(
    architecture: TransformerArchitecture, padded_to: int | None
) -> None:
    stage = whole_stage(architecture)
    tokens = tokens_of(LENGTHS, architecture)
    layout = Layout(lengths=LENGTHS, padded_to=padded_to)
    rows = tokens if padded_to is None else padded(tokens, LENGTHS, padded_to)
    first = stage.forward(rows, layout, Want.ALL_ROWS)
    assert torch.equal(stage.forward(rows, layout, Want.ALL_ROWS), first)
    assert first.isfinite().all()


@pytest.mark.parametrize(
    ("architecture", "layout", "num_rows", "want", "message"),
    [
        (GPT2, Layout(lengths=(41,)), 41, Want.ALL_ROWS, "takes 1 to 40"),
        (LLAMA, Layout(lengths=(1,), past=(40,)), 1, Want.ALL_ROWS, "takes 1 to 40"),
        (GPT2, Layout(lengths=(3, 0)), 3, Want.ALL_ROWS, "have 0 to 3"),
        (GPT2, Layout(lengths=(3, 4), padded_to=3), 6, Want.ALL_ROWS, "padded to 3"),
        (GPT2, Layout(lengths=(3, 4)), 8, Want.ALL_ROWS, "give 7"),
        (GPT2, Layout(lengths=(3,), past=(2,)), 3, Want.ALL_ROWS, r"hold \[0\] tokens"),
        (BERT, Layout(lengths=(3,)), 3, Want.NEXT_TOKENS, "encoder"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_before_anything_is_computed(
    architecture: TransformerArchitecture, layout: Layout, num_rows: int, want: Want, message: str
) -> None:
    stage = whole_stage(architecture)
    with pytest.raises(RequestError, match=message):
        stage.forward(torch.zeros(num_rows, dtype=torch.int64), layout, want)


def test_caches_that_do_not_fit_the_layout_are_refused() -> None:
    stage = whole_stage(GPT2)
    cache = SequenceCache(GPT2, stage.layers, stage.share, CPU64, 8)
    tokens = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(RequestError, match=r"hold \[0\] tokens"):
        stage.forward(tokens, Layout(lengths=(3,), past=(2,)), Want.ALL_ROWS, [cache])
    with pytest.raises(RequestError, match="caches"):
        whole_stage(BERT).forward(tokens, Layout(lengths=(3,)), Want.ALL_ROWS, [cache])


def test_a_pass_that_failed_can_be_made_again() -> None:
    stage = whole_stage(GPT2)
    pool = CachePool(1 << 20, GPT2, stage.layers, stage.share, CPU64)
    tokens, layout = tokens_of((5,), GPT2), Layout(lengths=(5,))
    full = SequenceCache(GPT2, stage.layers, stage.share, CPU64, 4)
    with pytest.raises(CacheError, match="room for 4 tokens, not for 5"):
        stage.forward(tokens, layout, Want.ALL_ROWS, [full])
    assert full.length == 0
    (cache,) = pool.prepare([7], layout)
    with pytest.raises(IndexError):
        stage.forward(tokens + GPT2.vocab_size, layout, Want.ALL_ROWS, [cache])
    assert cache.length == 0
    found = stage.forward(tokens, layout, Want.ALL_ROWS, [cache])
    assert cache.length == 5
    assert torch.equal(found, stage.forward(tokens, layout, Want.ALL_ROWS))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_logits_that_overflowed_predict_no_token(wrong: float) -> None:
    logits = torch.tensor([[0.5, 2.0, 1.0], [0.0, wrong, 1.0]])
    assert stage_module._greatest(logits[:1]).tolist() == [1]
    with pytest.raises(ArithmeticError, match="not finite"):
        stage_module._greatest(logits)
