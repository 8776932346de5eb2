"""However devices share a model, its answers are those of one: any sizes, splits, tiles and layouts."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tests.workloads.galaxy.cluster_in_threads import (
    KeptWeights,
    answers,
    executors,
    greedy_alone,
    on_all,
    plan_of,
    relative_error,
    undivided,
)
from tests.workloads.transformer.architectures import ALL, BERT, DECODERS, GPT2, LLAMA, family_name
from workloads.galaxy.engine.greedy import generated
from workloads.galaxy.engine.link_pace import LinkPace
from workloads.galaxy.plan import Strategy
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.layout import Layout
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.stage import Stage
from workloads.transformer.want import Want

LIMIT = 1e-9
SEED = 7
SHARING = [Strategy.HYBRID, Strategy.TENSOR, Strategy.SEQUENCE, Strategy.PIPELINE]


def tokens_of(layout: Layout, architecture: TransformerArchitecture) -> torch.Tensor:
    generator = torch.Generator().manual_seed(SEED)
    return torch.randint(architecture.vocab_size, (layout.num_rows,), generator=generator)


@cache
def oracle(architecture: TransformerArchitecture) -> tuple[KeptWeights, Stage]:
    """Weights, and one device that has all of them."""
    weights = KeptWeights(architecture, SEED)
    return weights, undivided(architecture, weights)


def check(
    architecture: TransformerArchitecture, plan, layout: Layout, wants: list[Want], limit: float = LIMIT
) -> None:
    """Compare the answers of all devices, each request made twice."""
    (weights, stage), tokens = oracle(architecture), tokens_of(layout, architecture)
    with executors(architecture, plan, weights) as devices:
        for want in [*wants, wants[0]]:
            with torch.inference_mode():
                expected = stage.forward(tokens, layout, want)
            found = answers(devices, tokens, layout, want)
            told = found if want is Want.NEXT_TOKENS else found[:1]
            for each in told:
                if want is Want.NEXT_TOKENS:
                    assert each.tolist() == expected.tolist()
                else:
                    assert relative_error(each, expected) < limit
            assert found[len(told) :] == [None] * (len(found) - len(told))


def wants_of(architecture: TransformerArchitecture) -> list[Want]:
    return list(Want) if architecture.is_decoder else [Want.ALL_ROWS, Want.LAST_ROWS]


@pytest.mark.parametrize("strategy", SHARING)
@pytest.mark.parametrize("architecture", ALL, ids=family_name)
def test_every_kind_gives_what_one_device_gives(
    architecture: TransformerArchitecture, strategy: Strategy
) -> None:
    speeds = (5.0, 1.0, 2.0)
    plan = plan_of(architecture, strategy, speeds, num_tiles=3, row_weights=speeds)
    check(architecture, plan, Layout(lengths=(17,)), wants_of(architecture))


@pytest.mark.parametrize("strategy", SHARING)
@pytest.mark.parametrize("architecture", ALL, ids=family_name)
def test_several_sequences_packed_or_padded(
    architecture: TransformerArchitecture, strategy: Strategy
) -> None:
    plan = plan_of(architecture, strategy, (2.0, 1.0, 1.0), num_tiles=2)
    for layout in (Layout(lengths=(5, 1, 9)), Layout(lengths=(5, 1, 9), padded_to=11)):
        check(architecture, plan, layout, wants_of(architecture))


@pytest.mark.parametrize("num_layers", [6, 7])
def test_the_first_rows_of_a_decoder_may_be_layers_ahead(num_layers: int) -> None:
    """Each link takes a while, so that the first device is done before the last has begun."""
    architecture = replace(GPT2, num_layers=num_layers)
    plan = plan_of(architecture, Strategy.SEQUENCE, (1.0,) * 3, num_tiles=2, row_weights=(1.0, 2.0, 3.0))
    weights, stage = oracle(architecture)
    layout = Layout(lengths=(17,))
    tokens = tokens_of(layout, architecture)
    with torch.inference_mode():
        expected = stage.forward(tokens, layout, Want.ALL_ROWS)
    with executors(architecture, plan, weights, paces=lambda: LinkPace(1e6, 5e6)) as devices:
        for _ in range(2):
            found = answers(devices, tokens, layout, Want.ALL_ROWS)
            assert relative_error(found[0], expected) < LIMIT


def test_padding_of_one_sequence_is_out_of_sight() -> None:
    for architecture in (BERT, GPT2):
        plan = plan_of(architecture, Strategy.HYBRID, (1.0, 1.0), num_tiles=2)
        check(architecture, plan, Layout(lengths=(5,), padded_to=9), [Want.ALL_ROWS, Want.LAST_ROWS])


@pytest.mark.parametrize("architecture", [GPT2, LLAMA], ids=family_name)
@pytest.mark.parametrize("num_rows", [1, 3])
@pytest.mark.parametrize("direct_rows", [0, 2])
def test_fewer_rows_than_devices(
    architecture: TransformerArchitecture, num_rows: int, direct_rows: int
) -> None:
    for strategy in (Strategy.HYBRID, Strategy.TENSOR, Strategy.SEQUENCE):
        plan = plan_of(architecture, strategy, (1.0,) * 4, num_tiles=3, direct_rows=direct_rows)
        check(architecture, plan, Layout(lengths=(num_rows,)), [Want.NEXT_TOKENS, Want.LAST_ROWS])


def test_one_device_is_a_plan_of_any_kind() -> None:
    for strategy in Strategy:
        check(GPT2, plan_of(GPT2, strategy, (1.0,)), Layout(lengths=(7, 2)), list(Want))


def test_devices_of_a_plan_are_a_subset_in_any_order() -> None:
    plan = plan_of(GPT2, Strategy.HYBRID, (1.0, 2.0, 1.0), num_tiles=2, devices=(6, 2, 4))
    check(GPT2, plan, Layout(lengths=(13,)), list(Want))


@pytest.mark.parametrize("strategy", SHARING)
@pytest.mark.parametrize("architecture", DECODERS, ids=family_name)
def test_greedy_tokens_are_those_of_one_device(
    architecture: TransformerArchitecture, strategy: Strategy
) -> None:
    weights, stage = oracle(architecture)
    prompts = [[3, 1, 4, 1, 5, 9, 2], [6], [5, 3, 5]]
    plan = plan_of(architecture, strategy, (1.0, 3.0, 1.0), num_tiles=2)
    with executors(architecture, plan, weights) as devices:
        for asked in (prompts[:1], prompts):
            packed = torch.tensor([token for prompt in asked for token in prompt])
            lengths = [len(prompt) for prompt in asked]
            expected = [greedy_alone(stage, prompt, 9) for prompt in asked]
            for found in on_all(devices, lambda each: generated(each, packed, lengths, 9)):  # noqa: B023
                assert found.tolist() == expected


@pytest.mark.slow
@settings(max_examples=150)
@given(data=st.data())
def test_any_model_shared_in_any_way(data: st.DataObject) -> None:
    draw = data.draw
    base = draw(st.sampled_from(ALL))
    kv_heads = draw(st.integers(1, 8))
    heads_per_kv = draw(st.integers(1, 3)) if base is LLAMA else 1
    head_size = 2 * draw(st.integers(1, 4))
    architecture = replace(
        base,
        num_layers=draw(st.integers(1, 3)),
        num_heads=kv_heads * heads_per_kv,
        num_kv_heads=kv_heads,
        head_size=head_size,
        hidden_size=draw(st.integers(3, 23)),
        ffn_size=draw(st.integers(8, 41)),
        vocab_size=draw(st.integers(8, 61)),
        is_head_tied=draw(st.booleans()),
    )
    strategy = draw(st.sampled_from(SHARING))
    most = {Strategy.SEQUENCE: 8, Strategy.PIPELINE: architecture.num_layers}.get(strategy, kv_heads)
    num = draw(st.integers(1, most))
    weights = st.lists(st.floats(0.1, 9.0), min_size=num, max_size=num)
    plan = plan_of(
        architecture,
        strategy,
        draw(weights),
        row_weights=draw(weights),
        num_tiles=draw(st.integers(1, 5)),
        direct_rows=draw(st.integers(0, 4)),
    )
    lengths = tuple(draw(st.lists(st.integers(1, 13), min_size=1, max_size=3)))
    padded_to = draw(st.sampled_from([None, max(lengths), max(lengths) + 2]))
    check(
        architecture,
        plan,
        Layout(lengths=lengths, padded_to=padded_to),
        [draw(st.sampled_from(wants_of(architecture))), Want.ALL_ROWS],
    )


def test_chunks_of_a_prompt_may_follow_each_other() -> None:
    weights, stage = oracle(GPT2)
    tokens = tokens_of(Layout(lengths=(19,)), GPT2)
    with torch.inference_mode():
        expected = stage.forward(tokens, Layout(lengths=(19,)), Want.ALL_ROWS)
    for strategy in SHARING:
        with executors(GPT2, plan_of(GPT2, strategy, (1.0, 2.0), num_tiles=2), weights) as devices:
            caches = {each.device: [each.new_cache(19)] for each in devices}
            for begin, end in ((0, 8), (8, 13), (13, 19)):
                layout = Layout(lengths=(end - begin,), past=(begin,) if begin else ())
                found = on_all(
                    devices,
                    lambda each: each.forward(tokens[begin:end], layout, Want.ALL_ROWS, caches[each.device]),  # noqa: B023
                )
                assert relative_error(found[0], expected[begin:end]) < LIMIT


@pytest.mark.parametrize("speeds", [(1.0, 1.0), (1.0, 2.0, 1.0)])
def test_a_chunk_may_have_fewer_rows_than_devices(speeds: tuple[float, ...]) -> None:
    """A device without rows makes nothing that others wait for: they may be layers ahead of it."""
    architecture = replace(GPT2, num_layers=6)
    weights, stage = oracle(architecture)
    tokens = tokens_of(Layout(lengths=(16,)), architecture)
    with torch.inference_mode():
        expected = stage.forward(tokens, Layout(lengths=(16,)), Want.ALL_ROWS)
    with executors(architecture, plan_of(architecture, Strategy.SEQUENCE, speeds), weights) as devices:
        caches = {each.device: [each.new_cache(16)] for each in devices}
        for begin, end in ((0, 6), (6, 7), (7, 12), (12, 16)):
            layout = Layout(lengths=(end - begin,), past=(begin,) if begin else ())
            found = on_all(
                devices,
                lambda each: each.forward(tokens[begin:end], layout, Want.ALL_ROWS, caches[each.device]),  # noqa: B023
            )
            assert relative_error(found[0], expected[begin:end]) < LIMIT


def test_the_oracle_notices_what_is_forgotten() -> None:
    """Weights of another seed give another answer: the comparison compares something."""
    layout = Layout(lengths=(9,))
    tokens = tokens_of(layout, GPT2)
    with torch.inference_mode():
        one, other = (
            undivided(GPT2, RandomWeights(GPT2, seed)).forward(tokens, layout, Want.ALL_ROWS)
            for seed in (1, 2)
        )
    assert relative_error(one, other) > 1e-3
    assert functional.cosine_similarity(one.flatten(), other.flatten(), dim=0) < 0.999


@pytest.mark.parametrize("strategy", SHARING)
@pytest.mark.parametrize("wire", [WireFormat.BFLOAT16, WireFormat.INT8])
@pytest.mark.parametrize("architecture", [BERT, GPT2], ids=family_name)
def test_rounding_on_links_changes_answers_little(
    architecture: TransformerArchitecture, wire: WireFormat, strategy: Strategy
) -> None:
    """Each tensor keeps the bound of its format (see test_wire_codec); tiles that were mixed up would not."""
    layout, (weights, stage) = Layout(lengths=(19,)), oracle(architecture)
    tokens = tokens_of(layout, architecture)
    with torch.inference_mode():
        expected = stage.forward(tokens, layout, Want.ALL_ROWS)
    plan = plan_of(architecture, strategy, (1.0, 2.0, 1.0), num_tiles=3, wire=wire)
    with executors(architecture, plan, weights) as devices:
        found = [answers(devices, tokens, layout, Want.ALL_ROWS)[0] for _ in range(2)]
    assert torch.equal(found[0], found[1])
    assert 0.0 < relative_error(found[0], expected) < 0.03
