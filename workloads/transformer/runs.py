"""Which rows attend to each other in one call."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from workloads.transformer.layout import Layout
from workloads.transformer.place import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Neighbouring sequences that have equally many rows and nothing in a cache, or one that has."""

    sequence: int
    """The first of them."""
    num_sequences: int
    begin: int
    """Their first row."""
    end: int
    has_past: bool
    is_causal: bool
    """Whether row i of a sequence attends to the tokens 0 to i, and nothing else is to be heeded."""
    mask: Tensor | None
    """0 where a row may attend to a token, else -inf: [sequences, 1, rows or 1, tokens]."""


def runs_of(layout: Layout, place: Place, *, is_decoder: bool) -> tuple[Run, ...]:
    """All rows of a layout in their order, in as few runs as may be.

    Padding is out of sight of a decoder's tokens by itself: it is behind them.
    """
    rows = layout.lengths if layout.padded_to is None else (layout.padded_to,) * layout.num_sequences
    runs, begin, sequence = [], 0, 0
    for num_rows, has_past, num_sequences in _alike(rows, layout.past_lengths):
        end = begin + num_rows * num_sequences
        if has_past:
            mask = _mask_with_past(num_rows, layout.past[sequence], layout.lengths[sequence], place)
        else:
            lengths = layout.lengths[sequence : sequence + num_sequences]
            mask = None if is_decoder else _padding_mask(num_rows, lengths, place)
        runs.append(
            Run(
                sequence=sequence,
                num_sequences=num_sequences,
                begin=begin,
                end=end,
                has_past=has_past,
                is_causal=is_decoder and not has_past and num_rows > 1,
                mask=mask,
            )
        )
        begin, sequence = end, sequence + num_sequences
    return tuple(runs)


def tile_run(begin: int, end: int, place: Place, *, is_decoder: bool) -> Run:
    """Rows ``begin`` up to ``end`` of one sequence, where the keys of earlier rows, if there are, come first.

    Those of a decoder attend to the tokens up to themselves, those of an encoder to all that there are.
    """
    num_rows = end - begin
    mask = _mask_with_past(num_rows, begin, num_rows, place) if is_decoder and begin else None
    is_causal = is_decoder and not begin and num_rows > 1
    return Run(
        sequence=0, num_sequences=1, begin=begin, end=end, has_past=True, is_causal=is_causal, mask=mask
    )


def _alike(rows: tuple[int, ...], past: tuple[int, ...]) -> Iterator[tuple[int, bool, int]]:
    """Rows of each sequence, whether it has a past, and how many such neighbours there are."""
    for (num_rows, has_past), group in groupby(zip(rows, (length > 0 for length in past), strict=True)):
        count = sum(1 for _ in group)
        yield from [(num_rows, True, 1)] * count if has_past else [(num_rows, False, count)]


def _mask_with_past(num_rows: int, past: int, length: int, place: Place) -> Tensor | None:
    """Row i attends to the past and to the new tokens 0 to i; None where it is all of them."""
    if num_rows == 1:
        return None
    hidden = torch.ones((num_rows, past + length), dtype=torch.bool, device=place.device).triu_(past + 1)
    return _additive(hidden[None, None], place)


def _padding_mask(num_rows: int, lengths: tuple[int, ...], place: Place) -> Tensor | None:
    """All rows of a sequence attend to all its tokens; None where there is no padding."""
    if min(lengths) == num_rows:
        return None
    ends = torch.tensor(lengths, device=place.device)
    hidden = torch.arange(num_rows, device=place.device) >= ends[:, None]
    return _additive(hidden[:, None, None], place)


def _additive(hidden: Tensor, place: Place) -> Tensor:
    return torch.zeros(hidden.shape, dtype=place.dtype, device=place.device).masked_fill_(hidden, -torch.inf)
