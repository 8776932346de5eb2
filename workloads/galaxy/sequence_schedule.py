"""What devices that share rows do in a layer, on the clock of a ring; arithmetic only.

Every device has all weights and its own rows, which go through a layer tile by tile. Keys and values of other
rows come before the first of them attends; own ones of the next layer leave while the next tile is worked on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from workloads.galaxy.ring_clock import RingClock, Tiles
from workloads.galaxy.ring_work import HEADER_BYTES, tile_pairs
from workloads.galaxy.wire_format import wire_bytes
from workloads.galaxy.work_times import WorkTimes
from workloads.transformer.split import Span

_Arrivals = list[dict[tuple[int, int], float]]
"""At each place: when tiles of others are there, by owner and number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceWork:
    """One layer."""

    entries: Sequence[Sequence[float]]
    """Of each place and own tile: queries, keys and values, written as they travel."""
    behind: Sequence[Sequence[float]]
    """Of the same: all that comes behind keys and values."""
    read: Sequence[Sequence[Sequence[float]]]
    """On each place, of each owner and tile: reading what came."""
    num_bytes: Sequence[Sequence[int]]
    """Of each owner and tile on a link."""
    is_one_way: bool
    """Keys and values of a decoder go to later places only, whose rows see them; all others go around."""


def sequence_work(works: Sequence[WorkTimes], tiles: Sequence[Sequence[Span]]) -> SequenceWork:
    """The work of one layer: ``works`` and ``tiles`` of each place."""
    first, num_rows = works[0], sum(len(tile) for own in tiles for tile in own)
    kept = 2 * first.architecture.kv_size
    part = kept / first.architecture.hidden_size
    read = [[[work.coding_ns(len(tile)) * part for tile in own] for own in tiles] for work in works]
    own_tiles = list(zip(works, tiles, strict=True))
    return SequenceWork(
        entries=[
            [
                work.entry_ns(len(tile)) + written
                for tile, written in zip(own, read[place][place], strict=True)
            ]
            for place, (work, own) in enumerate(own_tiles)
        ],
        behind=[[_behind_ns(work, tile, num_rows) for tile in own] for work, own in own_tiles],
        read=read,
        num_bytes=[
            [wire_bytes(first.wire, len(tile), kept, first.itemsize) + HEADER_BYTES for tile in own]
            for own in tiles
        ],
        is_one_way=first.architecture.is_decoder,
    )


def sequence_entered(clock: RingClock, work: SequenceWork) -> Tiles[float]:
    """When the tiles have entered the first layer."""
    return [[clock.work(place, entry) for entry in own] for place, own in enumerate(work.entries)]


def sequence_layer(
    clock: RingClock, work: SequenceWork, *, is_last: bool
) -> Callable[[Tiles[float]], Tiles[float]]:
    """From when tiles have entered a layer to when they have the next; of the last, when they are done."""

    def layer(entered: Tiles[float]) -> Tiles[float]:
        for place, arrivals in enumerate(_arrivals(clock, work, entered)):
            for (owner, tile), arrival in sorted(arrivals.items()):
                clock.wait(place, arrival)
                clock.work(place, work.read[place][owner][tile])
        return [
            [
                clock.work(place, behind if is_last else behind + entry)
                for behind, entry in zip(work.behind[place], work.entries[place], strict=True)
            ]
            for place in range(len(work.entries))
        ]

    return layer


def _arrivals(clock: RingClock, work: SequenceWork, entered: Tiles[float]) -> _Arrivals:
    """A link carries own tiles and those that it passes on in the order in which they are there."""
    num = len(entered)
    there: _Arrivals = [{} for _ in entered]
    leaving = [
        (time, place, place, tile) for place, times in enumerate(entered) for tile, time in enumerate(times)
    ]
    heapify(leaving)
    while leaving:
        time, place, owner, tile = heappop(leaving)
        following = (place + 1) % num
        if following == (0 if work.is_one_way else owner):
            continue
        arrival = clock.send(place, time, work.num_bytes[owner][tile])
        there[following][owner, tile] = arrival
        heappush(leaving, (arrival, following, owner, tile))
    return there


def _behind_ns(work: WorkTimes, tile: Span, num_rows: int) -> float:
    num, pairs = len(tile), tile_pairs(tile, num_rows, is_causal=work.architecture.is_decoder)
    return work.attention_ns(pairs) + work.output_ns(num) + work.mlp_ns(num) + 2 * work.connective_ns(num)
