from dataclasses import replace
from math import prod

import pytest

from tests.workloads.galaxy.plan_samples import cluster, device, small
from workloads.galaxy.memory import KEPT_BLOCK, Load, end_weights, memory_bytes, whole_bytes
from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.galaxy.planning.heuristic import even_split
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer import kv_cache
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.rank_weights import RankWeights, end_parts, layer_parts, rank_shape
from workloads.transformer.split import Span

FAMILIES = [small(name=name) for name in ("gpt2-124m", "opt-125m", "bert-base", "llama-7b")]
LOAD = Load(num_tokens=24, itemsize=4)


def num_weights(parts: RankWeights) -> int:
    return sum(prod(rank_shape(part)) for part in parts.values())


def held(architecture: TransformerArchitecture, plan: ParallelPlan, place: int) -> int:
    """Weights that a device loads."""
    part = plan.parts[place]
    layers = len(part.layers) * num_weights(layer_parts(architecture, 0, part.share))
    return layers + num_weights(end_parts(architecture, part.layers, part.share))


def test_room_for_keys_and_values_comes_in_the_blocks_of_the_cache() -> None:
    assert kv_cache.BLOCK == KEPT_BLOCK
    assert Load(num_tokens=60, itemsize=4, num_new_tokens=5).kept_positions == 2 * KEPT_BLOCK
    assert Load(num_tokens=60, itemsize=4).kept_positions == 0


@pytest.mark.parametrize("architecture", FAMILIES, ids=lambda one: one.family)
def test_a_device_is_never_said_to_hold_less_than_the_weights_it_loads(
    architecture: TransformerArchitecture,
) -> None:
    plan = replace(
        even_split(architecture, cluster(device(4), device(2), device(1))), strategy=Strategy.HYBRID
    )
    told = memory_bytes(architecture, plan, LOAD)
    without_rows = memory_bytes(architecture, plan, replace(LOAD, num_tokens=0))
    for place in range(3):
        weights = held(architecture, plan, place)
        assert told[place] > without_rows[place] >= 4 * weights
        # What is more are logits of one row, and vectors that only one of the devices adds.
        vectors = 4 * architecture.num_layers * architecture.hidden_size
        assert without_rows[place] - 4 * weights <= 4 * (2 * architecture.vocab_size + vectors) + 4 * 200


@pytest.mark.parametrize("architecture", FAMILIES, ids=lambda one: one.family)
def test_the_ends_of_a_model_are_those_that_a_rank_loads(architecture: TransformerArchitecture) -> None:
    (part,) = even_split(architecture, cluster(device(1))).parts
    for begin, end in ((0, 3), (0, 1), (1, 2), (1, 3)):
        found = end_weights(architecture, Span(begin, end), architecture.vocab_size)
        assert found == num_weights(end_parts(architecture, Span(begin, end), part.share))


@pytest.mark.parametrize("architecture", FAMILIES, ids=lambda one: one.family)
def test_a_whole_model_is_its_weights_and_its_rows(architecture: TransformerArchitecture) -> None:
    plan = replace(even_split(architecture, cluster(device(1))), strategy=Strategy.LOCAL)
    none = whole_bytes(architecture, Span(0, 3), 0, replace(LOAD, num_tokens=0))
    logits = 2 * architecture.vocab_size if architecture.is_decoder else 0
    assert none == 4 * (held(architecture, plan, 0) + logits)
    assert memory_bytes(architecture, plan, LOAD)[0] > none


def test_kept_tokens_cost_each_device_its_own_heads() -> None:
    architecture = small()
    plan = replace(
        even_split(architecture, cluster(device(4), device(2), device(1))), strategy=Strategy.HYBRID
    )
    generating = replace(LOAD, num_new_tokens=10)
    more = [
        with_cache - without
        for with_cache, without in zip(
            memory_bytes(architecture, plan, generating), memory_bytes(architecture, plan, LOAD), strict=True
        )
    ]
    assert more == [2 * 2 * KEPT_BLOCK * 16 * 3 * 4] * 3  # heads, keys and values, columns, layers, bytes


def test_other_formats_need_room_for_what_is_coded() -> None:
    architecture = small()
    plan = replace(even_split(architecture, cluster(device(4), device(2))), strategy=Strategy.HYBRID)
    coded = replace(plan, wire=WireFormat.INT8)
    assert memory_bytes(architecture, coded, LOAD)[0] > memory_bytes(architecture, plan, LOAD)[0]


def test_devices_behind_may_hold_keys_and_values_of_all_layers() -> None:
    for architecture in (small(), small(name="bert-base")):
        of = cluster(device(1), device(1))
        plan = replace(even_split(architecture, of), strategy=Strategy.SEQUENCE)
        first, second = memory_bytes(architecture, plan, LOAD)
        own = LOAD.num_tokens // 2
        ahead = 2 * 2 * architecture.kv_size * architecture.num_layers * LOAD.itemsize * own
        assert second - first == (ahead if architecture.is_decoder else 0)
