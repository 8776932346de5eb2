"""The forward passes of one step: which sequences, how long, in which layout; arithmetic only."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from workloads.energon.shapes import EnergonShape
from workloads.transformer.layout import Layout

LENGTH_SEED = 0
"""Lengths belong to the problem: seeds of a sweep vary weights and token ids only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassSum:
    """What the passes of one kind in one step amount to, over one replica."""

    name: str
    """``prompt`` or ``decode``."""
    num_passes: int
    num_rows: int
    """Rows that linear layers work on."""
    num_pairs: int
    """Pairs of a new token and one that attention holds it against, masked ones included."""
    num_sequences: int
    """Sequences, counted in each pass that they take part in."""
    num_context: int
    """Tokens whose keys and values attention reads, once for each sequence of a pass."""
    num_rounds: int = 1
    """Passes that the same sequences take part in, each when the one before is over."""
    is_fed_back: bool = False
    """Whether every round begins with tokens that the one before it made."""

    @property
    def num_in_flight(self) -> int:
        """Passes of one round: they may be under way at the same time."""
        return self.num_passes // self.num_rounds

    @property
    def rows_per_pass(self) -> float:
        """Mean rows of one pass."""
        return self.num_rows / self.num_passes


def pass_sums(shape: EnergonShape, batch: int) -> tuple[PassSum, ...]:
    """The passes of one step by kind, where each has ``batch`` sequences."""
    layouts = prompt_layouts(shape, batch)
    prompts = PassSum(
        name="prompt",
        num_passes=len(layouts),
        num_rows=sum(layout.num_rows for layout in layouts),
        num_pairs=sum(_num_pairs(layout) for layout in layouts),
        num_sequences=batch * len(layouts),
        num_context=sum(layout.num_rows for layout in layouts),
    )
    new = shape.num_new_tokens
    if not new:
        return (prompts,)
    # The k-th new token of a sequence of length l sees l + k tokens, itself included.
    pairs = sum(new * sum(layout.lengths) + batch * new * (new + 1) // 2 for layout in layouts)
    decodes = PassSum(
        name="decode",
        num_passes=new * len(layouts),
        num_rows=new * batch * len(layouts),
        num_pairs=pairs,
        num_sequences=new * batch * len(layouts),
        num_context=pairs,
        num_rounds=new,
        is_fed_back=True,
    )
    return prompts, decodes


@lru_cache(maxsize=256)
def prompt_layouts(shape: EnergonShape, batch: int) -> tuple[Layout, ...]:
    """The layout of every first pass of one step, the same in each step and on each replica.

    Lengths are evenly spaced over the widest interval that ends at the longest sequence and has the asked
    mean (below 50 %: over 0 to twice the mean), and then shuffled by a fixed seed. So the share of real
    tokens is the asked one, up to rounding to whole tokens, whatever the number of sequences.
    """
    lengths = _lengths(shape.sequence, shape.valid_percent / 100, batch * shape.num_batches)
    padded_to = None if shape.is_packed else shape.sequence
    return tuple(
        Layout(lengths=tuple(lengths[begin : begin + batch]), padded_to=padded_to)
        for begin in range(0, len(lengths), batch)
    )


def decode_layout(prompt: Layout, num_decoded: int) -> Layout:
    """The pass that adds a token to each sequence of ``prompt`` behind ``num_decoded`` that came before.

    It has no padding in any mode: every sequence has one row.
    """
    return Layout(
        lengths=(1,) * prompt.num_sequences, past=tuple(length + num_decoded for length in prompt.lengths)
    )


def _lengths(longest: int, mean_share: float, count: int) -> Sequence[int]:
    low, high = (2 * mean_share - 1, 1.0) if mean_share >= 0.5 else (0.0, 2 * mean_share)
    spaced = [longest * (low + (high - low) * (place + 0.5) / count) for place in range(count)]
    rounded = [min(longest, max(1, round(length))) for length in spaced]
    order = random.Random(LENGTH_SEED)  # noqa: S311  # a reproducible order, no secret
    keys = [order.random() for _ in rounded]  # Python promises this stream for a seed, not that of shuffle
    return [length for _, length in sorted(zip(keys, rounded, strict=True))]


def _num_pairs(layout: Layout) -> int:
    if layout.padded_to is not None:
        return layout.num_sequences * layout.padded_to**2
    return sum(length**2 for length in layout.lengths)
