"""How long the tiles of a ring take on each device, and how large they are on links; arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from workloads.galaxy.forecasting.ring_clock import Time
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.wire_format import wire_bytes
from workloads.transformer.split import Span

HEADER_BYTES = 28
"""Before every message: ``message.HEADER_BYTES``."""
PerTile = Sequence[Sequence[Sequence[Time]]]
"""Of each place, each place whose rows they are, and each tile of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingWork(Generic[Time]):
    """One layer of the hybrid kind."""

    entry: PerTile[Time]
    """Queries, keys and values."""
    attended: PerTile[Time]
    """Attention of a tile's rows to all that they see, and the product behind it."""
    mlp: PerTile[Time]
    """Both products."""
    added: PerTile[Time]
    """Adding what the device before has made."""
    finished: Sequence[Sequence[Time]]
    """Of own rows: adding what the device before has made, the residual, and the norm."""
    num_bytes: Sequence[Sequence[int]]
    """Of each tile on a link."""
    is_causal: bool


def ring_tiles(plan: ParallelPlan, num_rows: int) -> tuple[tuple[Span, ...], ...]:
    """The tiles of each place's rows."""
    return tuple(plan.tiles(span) for span in plan.row_spans(num_rows))


def tile_pairs(tile: Span, num_rows: int, *, is_causal: bool) -> int:
    """Pairs of a query of a tile and a key that are computed: no key behind the tile is seen by a decoder."""
    return len(tile) * (tile.end if is_causal else num_rows)


def ring_work(works: Sequence[WorkTimes], tiles: Sequence[Sequence[Span]]) -> RingWork[float]:
    """The work of one layer: ``works`` and ``tiles`` of each place."""
    first = works[0]
    num_rows = sum(len(tile) for spans in tiles for tile in spans)
    is_causal, hidden = first.architecture.is_decoder, first.architecture.hidden_size
    places = [_place_work(work, place, tiles, num_rows) for place, work in enumerate(works)]
    return RingWork(
        entry=[work.entry for work in places],
        attended=[work.attended for work in places],
        mlp=[work.mlp for work in places],
        added=[work.added for work in places],
        finished=[
            [
                work.sum_ns(len(tile)) + work.connective_ns(len(tile)) + 2 * work.coding_ns(len(tile))
                for tile in spans
            ]
            for work, spans in zip(works, tiles, strict=True)
        ],
        num_bytes=[
            [wire_bytes(first.wire, len(tile), hidden, first.itemsize) + HEADER_BYTES for tile in spans]
            for spans in tiles
        ],
        is_causal=is_causal,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _PlaceWork:
    """Of each chunk and tile."""

    entry: Sequence[Sequence[float]]
    attended: Sequence[Sequence[float]]
    mlp: Sequence[Sequence[float]]
    added: Sequence[Sequence[float]]


def _place_work(work: WorkTimes, place: int, tiles: Sequence[Sequence[Span]], num_rows: int) -> _PlaceWork:
    is_causal = work.architecture.is_decoder
    sizes = {len(tile) for spans in tiles for tile in spans}
    more, coding = work.tile_ns(), {rows: work.coding_ns(rows) for rows in sizes}
    entry = {rows: work.entry_ns(rows) + more for rows in sizes}
    output = {rows: work.output_ns(rows) + more for rows in sizes}
    mlp = {rows: work.mlp_ns(rows) + more for rows in sizes}
    added = {rows: work.sum_ns(rows) + coding[rows] for rows in sizes}
    # What is not its own is read when it comes, and written when it goes on.
    foreign = [0.0 if chunk == place else 1.0 for chunk in range(len(tiles))]
    return _PlaceWork(
        entry=[
            [entry[len(tile)] + factor * coding[len(tile)] for tile in spans]
            for spans, factor in zip(tiles, foreign, strict=True)
        ],
        attended=[
            [
                work.attention_ns(tile_pairs(tile, num_rows, is_causal=is_causal))
                + output[len(tile)]
                + factor * coding[len(tile)]
                for tile in spans
            ]
            for spans, factor in zip(tiles, foreign, strict=True)
        ],
        mlp=[
            [mlp[len(tile)] + 2 * factor * coding[len(tile)] for tile in spans]
            for spans, factor in zip(tiles, foreign, strict=True)
        ],
        added=[[added[len(tile)] for tile in spans] for spans in tiles],
    )
