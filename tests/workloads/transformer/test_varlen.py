"""The call for all sequences at once is told what it must be told; a slow kernel stands for that of a GPU."""

from inspect import signature
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.workloads.transformer.architectures import BERT, GPT2, LLAMA, family_name
from tests.workloads.transformer.group_in_threads import CPU64
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.attention import AttentionPass, attended, attention_pass
from workloads.transformer.kv_cache import SequenceCache
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.split import Span, tensor_shares
from workloads.transformer.varlen import Kernel, installed_kernel, kernel_for, varlen_of

CUDA_HALF = Place(device=torch.device("cuda"), dtype=torch.bfloat16)
LAYERS = Span(0, 1)


def slow_kernel(  # noqa: PLR0917  # the arguments of torch's kernel
    query: Tensor,
    key: Tensor,
    value: Tensor,
    cu_seq_q: Tensor,
    cu_seq_k: Tensor,
    max_q: int,
    max_k: int,
    *,
    window_size: tuple[int, int],
    enable_gqa: bool,
) -> Tensor:
    """Each sequence by the definition of attention, its last query at its last token."""
    assert cu_seq_q.dtype is cu_seq_k.dtype is torch.int32
    assert max_q == int(cu_seq_q.diff().max())
    assert max_k == int(cu_seq_k.diff().max())
    assert enable_gqa == (query.shape[1] > key.shape[1])
    group = query.shape[1] // key.shape[1]
    parts = []
    for (q0, q1), (k0, k1) in zip(pairwise(cu_seq_q.tolist()), pairwise(cu_seq_k.tolist()), strict=True):
        keys, values = (rows[k0:k1].repeat_interleave(group, dim=1) for rows in (key, value))
        scores = torch.einsum("qhd,khd->hqk", query[q0:q1], keys) / query.shape[-1] ** 0.5
        if window_size == (-1, 0):
            after = torch.ones(q1 - q0, k1 - k0, dtype=torch.bool).triu(k1 - k0 - (q1 - q0) + 1)
            scores = scores.masked_fill(after, -torch.inf)
        parts.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), values))
    return torch.cat(parts)


def older_kernel(*places: Any, window_size: tuple[int, int]) -> Tensor:
    """As torch 2.11 has it: nobody tells it of fewer heads of keys, so that it gets as many."""
    return slow_kernel(*places, window_size=window_size, enable_gqa=False)


def random_rows(layout: Layout, architecture: TransformerArchitecture) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    heads = (architecture.num_heads, architecture.num_kv_heads, architecture.num_kv_heads)
    queries, keys, values = (
        torch.randn(layout.num_rows, number, architecture.head_size, generator=generator, dtype=torch.float64)
        for number in heads
    )
    return queries, keys, values


def caches_of(layout: Layout, architecture: TransformerArchitecture) -> list[SequenceCache]:
    (share,) = tensor_shares(architecture, 1)
    caches = []
    for number, past in enumerate(layout.past_lengths):
        cache = SequenceCache(architecture, LAYERS, share, CPU64, 40)
        generator = torch.Generator().manual_seed(number)
        shape = (past, architecture.num_kv_heads, architecture.head_size)
        rows = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2)]
        cache.append(0, rows[0], rows[1])
        cache.advance(past)
        caches.append(cache)
    return caches


@pytest.mark.parametrize("kernel", [slow_kernel, older_kernel])
@pytest.mark.parametrize("architecture", [GPT2, LLAMA, BERT], ids=family_name)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(sizes=st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), min_size=1, max_size=5))
def test_one_call_gives_what_runs_give(
    architecture: TransformerArchitecture, kernel: Kernel, sizes: list[tuple[int, int]]
) -> None:
    keeps = architecture.is_decoder
    past = tuple(length for _, length in sizes) if keeps else ()
    layout = Layout(lengths=tuple(length for length, _ in sizes), past=past)
    rows = random_rows(layout, architecture)
    by_runs = attention_pass(architecture, layout, CPU64, caches_of(layout, architecture) if keeps else [])
    assert by_runs.varlen is None
    expected = attended(*rows, 0, by_runs)
    again = attention_pass(architecture, layout, CPU64, caches_of(layout, architecture) if keeps else [])
    varlen = varlen_of(layout, CPU64, kernel, is_decoder=architecture.is_decoder)
    at_once = AttentionPass(runs=(), kept=again.kept, varlen=varlen)
    torch.testing.assert_close(attended(*rows, 0, at_once), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("layout", "place", "head_size"),
    [
        (Layout(lengths=(3, 4)), CPU64, 64),
        (Layout(lengths=(3, 4), padded_to=4), CUDA_HALF, 64),
        (Layout(lengths=(3, 4)), Place(device=torch.device("cuda"), dtype=torch.float32), 64),
        (Layout(lengths=(3, 4)), CUDA_HALF, 65),
        (Layout(lengths=(3, 4)), CUDA_HALF, 264),
        (Layout(lengths=(7,)), CUDA_HALF, 64),
    ],
)
def test_sequences_are_taken_one_after_the_other_where_no_kernel_takes_them_at_once(
    layout: Layout, place: Place, head_size: int
) -> None:
    assert kernel_for(layout, place, head_size) is None


def test_the_installed_kernel_takes_what_it_is_given() -> None:
    kernel = installed_kernel()
    assert kernel is not None
    names = list(signature(slow_kernel).parameters)
    assert [name for name in signature(kernel).parameters if name in names] == names
