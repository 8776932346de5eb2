"""Caches: what is appended comes back, and memory stays within the budget."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.transformer.architectures import LLAMA
from tests.workloads.transformer.group_in_threads import CPU64
from workloads.transformer.kv_cache import BLOCK, CacheError, CachePool, SequenceCache, bytes_per_token
from workloads.transformer.layout import Layout
from workloads.transformer.split import Span, tensor_shares

LONG = replace(LLAMA, max_length=500)
LAYERS = Span(1, 3)
SHARE = tensor_shares(LONG, 2, (3.0, 1.0))[0]
TOKEN_BYTES = bytes_per_token(LONG, LAYERS, SHARE, CPU64)
NUM_HEADS = len(SHARE.kv_heads)


def pool_of(num_tokens: int) -> CachePool:
    return CachePool(num_tokens * TOKEN_BYTES, LONG, LAYERS, SHARE, CPU64)


def filled(cache: SequenceCache, num_tokens: int, seed: int) -> list[torch.Tensor]:
    """Appends to every layer, and gives what was appended."""
    generator = torch.Generator().manual_seed(seed)
    shape = (num_tokens, NUM_HEADS, LONG.head_size)
    rows = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2 * len(LAYERS))]
    for place, layer in enumerate(LAYERS):
        cache.append(layer, rows[2 * place], rows[2 * place + 1])
    cache.advance(num_tokens)
    return rows


def test_a_token_takes_as_much_memory_as_its_keys_and_values() -> None:
    assert NUM_HEADS == 3
    assert pool_of(1).prepare([1], Layout(lengths=(1,)))[0].capacity == 1
    assert 2 * 2 * 3 * LONG.head_size * 8 == TOKEN_BYTES


@settings(deadline=None, derandomize=True, max_examples=30)
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=8))
def test_all_that_was_appended_comes_back_in_order_through_every_growth(sizes: list[int]) -> None:
    pool = pool_of(10_000)
    past, rows = 0, []
    for number, size in enumerate(sizes):
        (cache,) = pool.prepare([3], Layout(lengths=(size,), past=(past,) if past else ()))
        rows.append(filled(cache, size, number))
        past += size
        assert cache.length == past <= cache.capacity
    nothing = torch.empty(0, NUM_HEADS, LONG.head_size, dtype=torch.float64)
    for place, layer in enumerate(LAYERS):
        keys, values = cache.append(layer, nothing, nothing)
        assert torch.equal(keys.transpose(0, 1), torch.cat([part[2 * place] for part in rows]))
        assert torch.equal(values.transpose(0, 1), torch.cat([part[2 * place + 1] for part in rows]))


def test_nothing_counts_before_all_layers_have_it() -> None:
    (cache,) = pool_of(100).prepare([1], Layout(lengths=(4,)))
    rows = torch.ones(4, NUM_HEADS, LONG.head_size, dtype=torch.float64)
    for _ in range(2):
        keys, _ = cache.append(LAYERS.begin, rows, rows)
        assert keys.shape == (NUM_HEADS, 4, LONG.head_size)
    assert cache.length == 0


def test_a_sequence_beyond_the_budget_is_refused_by_name_and_the_others_live() -> None:
    pool = pool_of(BLOCK + 10)
    (held,) = pool.prepare([1], Layout(lengths=(5,)))
    filled(held, 5, 0)
    with pytest.raises(CacheError, match=r"sequence 2 .* 11 tokens .* 10 are left"):
        pool.prepare([2], Layout(lengths=(11,)))
    assert pool.num_sequences == 1
    (small,) = pool.prepare([2], Layout(lengths=(10,)))
    assert small.capacity == 10
    assert pool.used_bytes == (BLOCK + 10) * TOKEN_BYTES
    filled(small, 10, 1)
    with pytest.raises(CacheError, match=r"sequence 2 .* 11 tokens"):
        pool.prepare([2], Layout(lengths=(1,), past=(10,)))
    pool.release([1, 99])
    assert pool.prepare([2], Layout(lengths=(1,), past=(10,)))[0].length == 10
    assert pool.num_sequences == 1


def test_no_cache_has_more_room_than_the_model_has_tokens() -> None:
    (cache,) = pool_of(10_000).prepare([1], Layout(lengths=(LONG.max_length,)))
    assert cache.capacity == LONG.max_length
    assert LONG.max_length % BLOCK


def test_a_sequence_without_past_begins_anew() -> None:
    pool = pool_of(1_000)
    (first,) = pool.prepare([1], Layout(lengths=(5,)))
    filled(first, 5, 0)
    (second,) = pool.prepare([1], Layout(lengths=(3,)))
    assert second.length == 0
    assert pool.num_sequences == 1


@pytest.mark.parametrize(
    ("ids", "layout", "message"),
    [
        ([2], Layout(lengths=(1,), past=(5,)), "sequence 2 is not kept"),
        ([1], Layout(lengths=(1,), past=(4,)), "sequence 1 has 5 tokens .* 4 are needed"),
        ([1, 1], Layout(lengths=(1, 1)), "each once"),
        ([1], Layout(lengths=(1, 1)), "2 sequences need as many names"),
    ],
)
def test_what_the_pool_does_not_have_is_refused(ids: list[int], layout: Layout, message: str) -> None:
    pool = pool_of(1_000)
    filled(pool.prepare([1], Layout(lengths=(5,)))[0], 5, 0)
    with pytest.raises(CacheError, match=message):
        pool.prepare(ids, layout)
