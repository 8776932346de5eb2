"""What devices that share rows do in a layer, on the clock of a ring; arithmetic only.

Every device has all weights and its own rows, which go through a layer tile by tile. Keys and values of other
rows come before the first of them attends; own ones of the next layer leave while the next tile is worked on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from workloads.galaxy.forecasting.ring_clock import RingClock, Tiles
from workloads.galaxy.forecasting.ring_work import HEADER_BYTES, tile_pairs
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.wire_format import wire_bytes
from workloads.transformer.split import Span


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
    is_one_way = first.architecture.is_decoder
    # The last place of a one-way plan writes for nobody.
    written = [0.0 if is_one_way and place == len(works) - 1 else part for place in range(len(works))]
    own_tiles = list(zip(works, written, tiles, strict=True))
    return SequenceWork(
        entries=[
            [work.entry_ns(len(tile)) + work.tile_ns() + share * work.coding_ns(len(tile)) for tile in own]
            for work, share, own in own_tiles
        ],
        behind=[[_behind_ns(work, tile, num_rows) for tile in own] for work, _, own in own_tiles],
        read=[[[part * work.coding_ns(len(tile)) for tile in own] for own in tiles] for work in works],
        num_bytes=[
            [wire_bytes(first.wire, len(tile), kept, first.itemsize) + HEADER_BYTES for tile in own]
            for own in tiles
        ],
        is_one_way=is_one_way,
    )


def sequence_pass(clock: RingClock, work: SequenceWork, num_layers: int) -> Tiles[float]:
    """When the tiles of each place are through all layers."""
    if work.is_one_way:
        return _one_way_pass(clock, work, num_layers)
    entered = [_entered(clock, work, place) for place in range(len(work.entries))]
    entered = clock.repeated(
        lambda now: _layer(clock, work, now, is_last=False), entered, num_layers - 1, is_ordered=False
    )
    return _layer(clock, work, entered, is_last=True)


def _one_way_pass(clock: RingClock, work: SequenceWork, num_layers: int) -> Tiles[float]:
    """Place by place: none waits for one behind it. A link carries what comes in the order of its coming."""
    ready: Tiles[float] = []
    came: list[tuple[float, int, int, int]] = []
    for place in range(len(work.entries)):
        arrivals: list[dict[tuple[int, int], float]] = [{} for _ in range(num_layers)]
        for time, layer, owner, tile in came:
            arrivals[layer][owner, tile] = time
        entered, leaving = _entered(clock, work, place), came
        for layer in range(num_layers):
            leaving += [(time, layer, place, tile) for tile, time in enumerate(entered)]
            entered = _through(clock, work, place, arrivals[layer], is_last=layer == num_layers - 1)
        ready.append(entered)
        if place < len(work.entries) - 1:
            came = [
                (clock.send(place, time, work.num_bytes[owner][tile]), layer, owner, tile)
                for time, layer, owner, tile in sorted(leaving)
            ]
    return ready


def _layer(clock: RingClock, work: SequenceWork, entered: Tiles[float], *, is_last: bool) -> Tiles[float]:
    """From when tiles have entered a layer to when they have the next; of the last, when they are done."""
    arrivals = _arrivals(clock, work, entered)
    return [_through(clock, work, place, arrivals[place], is_last=is_last) for place in range(len(entered))]


def _entered(clock: RingClock, work: SequenceWork, place: int) -> list[float]:
    return [clock.work(place, entry) for entry in work.entries[place]]


def _through(
    clock: RingClock,
    work: SequenceWork,
    place: int,
    arrivals: Mapping[tuple[int, int], float],
    *,
    is_last: bool,
) -> list[float]:
    """When the tiles of a place have entered the next layer, or are through the last."""
    for (owner, tile), arrival in sorted(arrivals.items()):
        clock.wait(place, arrival)
        clock.work(place, work.read[place][owner][tile])
    each = zip(work.behind[place], work.entries[place], strict=True)
    return [clock.work(place, behind if is_last else behind + entry) for behind, entry in each]


def _arrivals(
    clock: RingClock, work: SequenceWork, entered: Tiles[float]
) -> list[dict[tuple[int, int], float]]:
    """At each place of a ring: when tiles of others are there, by owner and number.

    A link carries own tiles and those that it passes on in the order in which they are there.
    """
    num = len(entered)
    there: list[dict[tuple[int, int], float]] = [{} for _ in entered]
    leaving = [
        (time, place, place, tile) for place, times in enumerate(entered) for tile, time in enumerate(times)
    ]
    heapify(leaving)
    while leaving:
        time, place, owner, tile = heappop(leaving)
        following = (place + 1) % num
        if following == owner:
            continue
        arrival = clock.send(place, time, work.num_bytes[owner][tile])
        there[following][owner, tile] = arrival
        heappush(leaving, (arrival, following, owner, tile))
    return there


def _behind_ns(work: WorkTimes, tile: Span, num_rows: int) -> float:
    num, pairs = len(tile), tile_pairs(tile, num_rows, is_causal=work.architecture.is_decoder)
    products = work.attention_ns(pairs) + work.output_ns(num) + work.mlp_ns(num)
    return products + 2 * work.tile_ns() + 2 * work.connective_ns(num)
