"""Attention of rows to the tokens of their own sequence."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.kv_cache import SequenceCache
from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.runs import Run, runs_of
from workloads.transformer.varlen import Varlen, kernel_for, varlen_of

Cached = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionPass:
    """What all layers of one forward pass attend by."""

    runs: tuple[Run, ...]
    kept: tuple[tuple[SequenceCache, slice], ...] = ()
    """The cache of each sequence, and the rows of its new tokens; empty where nothing is kept."""
    varlen: Varlen | None = None
    """In place of runs, where there is a kernel that does all of them in one call."""


def attention_pass(
    architecture: TransformerArchitecture, layout: Layout, place: Place, caches: Sequence[SequenceCache]
) -> AttentionPass:
    """The fewest calls by which all rows of a layout can attend on this device."""
    is_decoder = architecture.is_decoder
    rows = [slice(begin, begin + length) for begin, length in zip(layout.starts, layout.lengths, strict=True)]
    kept = tuple(zip(caches, rows, strict=True)) if caches else ()
    kernel = kernel_for(layout, place, architecture.head_size)
    if kernel is not None:
        varlen = varlen_of(layout, place, kernel, is_decoder=is_decoder)
        return AttentionPass(runs=(), kept=kept, varlen=varlen)
    return AttentionPass(runs=runs_of(layout, place, is_decoder=is_decoder), kept=kept)


def attended(
    queries: Float[Tensor, "rows heads size"],
    keys: Float[Tensor, "rows kv_heads size"],
    values: Float[Tensor, "rows kv_heads size"],
    layer: int,
    attention: AttentionPass,
) -> Float[Tensor, "rows columns"]:
    """For each row and head the mean of values, weighted by softmax(query . key / sqrt(size)).

    Raises:
        CacheError: when a cache has no room.
    """
    # All keys and values of each sequence, past ones included: [kv heads, tokens, size].
    cached = [cache.append(layer, keys[rows], values[rows]) for cache, rows in attention.kept]
    if attention.varlen is not None:
        return attention.varlen.attended(queries, keys, values, cached)
    parts = [
        _cached_run(queries, cached[run.sequence], run) if run.has_past else _run(queries, keys, values, run)
        for run in attention.runs
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def attended_tile(
    queries: Float[Tensor, "rows heads size"],
    keys: Float[Tensor, "tokens kv_heads size"],
    values: Float[Tensor, "tokens kv_heads size"],
    run: Run,
) -> Float[Tensor, "rows columns"]:
    """As ``attended``, for some rows of one sequence and the tokens that ``run`` lets them see."""
    heads = [rows.transpose(0, 1)[None] for rows in (queries, keys, values)]
    return _products(heads[0], heads[1], heads[2], run)


def _run(queries: Tensor, keys: Tensor, values: Tensor, run: Run) -> Tensor:
    heads = [
        rows[run.begin : run.end].view(run.num_sequences, -1, *rows.shape[1:]).transpose(1, 2)
        for rows in (queries, keys, values)
    ]
    return _products(heads[0], heads[1], heads[2], run)


def _cached_run(queries: Tensor, cached: Cached, run: Run) -> Tensor:
    keys, values = cached
    return _products(queries[run.begin : run.end].transpose(0, 1)[None], keys[None], values[None], run)


def _products(
    queries: Float[Tensor, "sequences heads rows size"],
    keys: Float[Tensor, "sequences kv_heads tokens size"],
    values: Float[Tensor, "sequences kv_heads tokens size"],
    run: Run,
) -> Float[Tensor, "all_rows columns"]:
    num_sequences, num_heads, num_rows, size = queries.shape
    num_kv_heads, is_grouped = keys.shape[1], num_heads != keys.shape[1]
    if is_grouped and num_rows == 1:
        # One row for each head: those that share keys are rows of one head instead.
        queries = queries.reshape(num_sequences, num_kv_heads, -1, size)
        is_grouped = False
    elif is_grouped and not _takes_groups(queries, run):
        keys, values = (rows.repeat_interleave(num_heads // num_kv_heads, dim=1) for rows in (keys, values))
        is_grouped = False
    result = functional.scaled_dot_product_attention(
        queries, keys, values, attn_mask=run.mask, is_causal=run.is_causal, enable_gqa=is_grouped
    )
    if num_rows == 1:
        return result.reshape(num_sequences, -1)
    return result.transpose(1, 2).reshape(num_sequences * num_rows, -1)


def _takes_groups(queries: Tensor, run: Run) -> bool:
    """Whether a fast kernel takes fewer heads of keys than of queries; on GPUs, only flash attention does."""
    return run.mask is None and (not queries.is_cuda or queries.dtype in (torch.float16, torch.bfloat16))
