"""Which own rows of a device attend to which rows, where sequences are cut anywhere; arithmetic and masks."""

from collections.abc import Iterator
from dataclasses import dataclass

from workloads.transformer.layout import Layout
from workloads.transformer.place import Place
from workloads.transformer.runs import Run, tile_run
from workloads.transformer.split import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRun:
    """Neighbouring own rows of one sequence."""

    sequence: int
    queries: Span
    """Rows of the pass."""
    keys: Span
    """Rows of the pass that they see; those of its past come before them."""
    num_past: int
    run: Run

    @property
    def num_pairs(self) -> int:
        """Pairs of a query and a key that are multiplied."""
        return len(self.queries) * (self.num_past + len(self.keys))


def own_runs(layout: Layout, own: Span, place: Place, *, is_decoder: bool) -> Iterator[OwnRun]:
    """All own rows that hold tokens, sequence by sequence."""
    spans = zip(layout.starts, layout.lengths, layout.past_lengths, strict=True)
    for sequence, (start, length, past) in enumerate(spans):
        begin, end = max(own.begin, start), min(own.end, start + length)
        if begin >= end:
            continue
        yield OwnRun(
            sequence=sequence,
            queries=Span(begin, end),
            keys=Span(start, end if is_decoder else start + length),
            num_past=past,
            run=tile_run(past + begin - start, past + end - start, place, is_decoder=is_decoder),
        )
