"""Attention of all sequences of a packed batch in one call, where a GPU has a kernel for it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from inspect import signature
from itertools import accumulate
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from workloads.transformer.layout import Layout
from workloads.transformer.place import Place

Kernel = Callable[..., Any]
"""As ``varlen_attn`` of torch from 2.11 on; before, it knows no window, or is not there. Only from 2.12 on it
is told that there are fewer heads of keys than of queries."""
_HALVES = (torch.float16, torch.bfloat16)
_MOST_COLUMNS = 256
_COLUMN_STEP = 8
"""Heads that flash attention takes (Dao 2023, arXiv 2307.08691): up to 256 columns, in steps of 8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Varlen:
    """What one call needs to know of the sequences of a pass."""

    kernel: Kernel
    query_ends: Int[Tensor, " sequences_and_1"]
    """0, and behind the last new token of each sequence."""
    token_ends: Int[Tensor, " sequences_and_1"]
    """0, and behind the last token of each sequence, its past included."""
    most_queries: int
    most_tokens: int
    has_past: bool
    window: tuple[int, int]
    """How many tokens before and behind itself a token attends to; -1 is all."""

    def attended(
        self,
        queries: Float[Tensor, "rows heads size"],
        keys: Float[Tensor, "rows kv_heads size"],
        values: Float[Tensor, "rows kv_heads size"],
        cached: Sequence[tuple[Tensor, Tensor]],
    ) -> Float[Tensor, "rows columns"]:
        """As ``attention.attended``; of sequences with past, ``cached`` has all keys and values."""
        if self.has_past:
            keys = torch.cat([held.transpose(0, 1) for held, _ in cached])
            values = torch.cat([held.transpose(0, 1) for _, held in cached])
        groups = queries.shape[1] // keys.shape[1]
        words = {"enable_gqa": groups > 1} if _takes_groups(self.kernel) else {}
        if groups > 1 and not words:
            keys, values = (rows.repeat_interleave(groups, dim=1) for rows in (keys, values))
        result: Tensor = self.kernel(
            queries,
            keys,
            values,
            self.query_ends,
            self.token_ends,
            self.most_queries,
            self.most_tokens,
            window_size=self.window,  # (-1, 0) counts from the last token where queries are fewer than tokens
            **words,
        )
        return result.flatten(1)


def varlen_of(layout: Layout, place: Place, kernel: Kernel, *, is_decoder: bool) -> Varlen:
    """All sequences of a packed layout."""
    tokens = [past + new for past, new in zip(layout.past_lengths, layout.lengths, strict=True)]
    return Varlen(
        kernel=kernel,
        query_ends=_ends(layout.lengths, place),
        token_ends=_ends(tokens, place),
        most_queries=max(layout.lengths),
        most_tokens=max(tokens),
        has_past=any(layout.past),
        window=(-1, 0) if is_decoder else (-1, -1),
    )


def kernel_for(layout: Layout, place: Place, head_size: int) -> Kernel | None:
    """The kernel for such a pass; None where sequences have to be taken one after the other."""
    is_taken = head_size <= _MOST_COLUMNS and head_size % _COLUMN_STEP == 0 and place.dtype in _HALVES
    if layout.padded_to is not None or layout.num_sequences == 1 or not is_taken:
        return None
    return installed_kernel() if _runs_flash_attention(place.device) else None


@cache
def installed_kernel() -> Kernel | None:
    """The kernel of the torch that is installed; None where it has none that takes these arguments."""
    try:
        from torch.nn.attention.varlen import varlen_attn  # noqa: PLC0415  # older releases lack it
    except ImportError:
        return None
    return varlen_attn if "window_size" in signature(varlen_attn).parameters else None


@cache
def _takes_groups(kernel: Kernel) -> bool:
    return "enable_gqa" in signature(kernel).parameters


@cache
def _runs_flash_attention(device: torch.device) -> bool:
    """Flash attention needs an NVIDIA GPU of at least Ampere's generation, compute capability 8.0."""
    if device.type != "cuda" or torch.version.cuda is None:
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _ends(lengths: Sequence[int], place: Place) -> Tensor:
    return torch.tensor([0, *accumulate(lengths)], dtype=torch.int32, device=place.device)
