"""What the other kinds of parallelism do in a layer, on the same clock; arithmetic only."""

from collections.abc import Callable, Sequence

from workloads.galaxy.forecasting.ring_clock import Hop, RingClock, Rounds, Tiles
from workloads.galaxy.forecasting.ring_work import HEADER_BYTES
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.profile import LinkProfile
from workloads.galaxy.wire_format import wire_bytes

Layer = Callable[[Tiles[float]], Tiles[float]]


def tensor_layer(clock: RingClock, works: Sequence[WorkTimes], num_rows: int, num_keys: int) -> Layer:
    """Megatron-LM: every device has all rows; their parts are summed by a ring, then the work goes on.

    ``num_keys`` is how many tokens each row sees at most.
    """
    attention = [
        work.entry_ns(num_rows)
        + work.attention_ns(_pairs(work, num_rows, num_keys))
        + work.output_ns(num_rows)
        for work in works
    ]
    mlp = [work.mlp_ns(num_rows) for work in works]
    connective = [work.connective_ns(num_rows) for work in works]
    sums = _sum_around(clock, works, num_rows)

    def layer(ready: Tiles[float]) -> Tiles[float]:
        for durations in (attention, mlp):
            for place, duration in enumerate(durations):
                clock.work(place, duration)
            clock.around(sums)
            ready = [[clock.work(place, duration)] for place, duration in enumerate(connective)]
        return ready

    return layer


def direct_layer(
    clock: RingClock,
    works: Sequence[WorkTimes],
    links: Sequence[Sequence[LinkProfile]],
    rows: tuple[int, int],
) -> Layer:
    """Every device has all (few) rows, and tells all others its part of each sum. ``rows``, and keys."""
    num, num_rows = len(works), rows[0]
    attention = [
        work.entry_ns(num_rows) + work.attention_ns(_pairs(work, *rows)) + work.output_ns(num_rows)
        for work in works
    ]
    mlp = [work.mlp_ns(num_rows) for work in works]
    behind = [work.behind_direct_ns(num_rows, num) for work in works]
    first = works[0]
    size = wire_bytes(first.wire, num_rows, first.architecture.hidden_size, first.itemsize) + HEADER_BYTES
    # A device tells the others one after the other, the next on the ring first.
    order = [[(place + step) % num for step in range(1, num)] for place in range(num)]

    def layer(ready: Tiles[float]) -> Tiles[float]:
        for durations in (attention, mlp):
            ends = [clock.work(place, duration) for place, duration in enumerate(durations)]
            for place, end in enumerate(ends):
                for receiver in order[place]:
                    clock.wait(receiver, clock.send_by(links[place][receiver], place, end, size))
            ready = [[clock.work(place, duration)] for place, duration in enumerate(behind)]
        return ready

    return layer


def whole_layer_ns(work: WorkTimes, num_rows: int, num_keys: int) -> float:
    """One layer on one device that has all of it [ns]."""
    return (
        work.entry_ns(num_rows)
        + work.attention_ns(_pairs(work, num_rows, num_keys))
        + work.output_ns(num_rows)
        + work.mlp_ns(num_rows)
        + 2 * work.connective_ns(num_rows)
    )


def pipeline_ns(
    works: Sequence[WorkTimes], num_layers: Sequence[int], links: Sequence[LinkProfile], rows: tuple[int, int]
) -> float:
    """One pass through all stages: no device works while another does. ``rows``, and tokens they see."""
    first = works[0]
    size = wire_bytes(first.wire, rows[0], first.architecture.hidden_size, first.itemsize)
    sent = sum(link.time_ns(size) for link in links[: len(works) - 1])
    return sum(stages_ns(works, num_layers, rows)) + sent


def stages_ns(works: Sequence[WorkTimes], num_layers: Sequence[int], rows: tuple[int, int]) -> list[float]:
    """What each stage does in a pass: its layers, reading what comes, and writing what goes."""
    last = len(works) - 1
    return [
        layers * whole_layer_ns(work, *rows) + (bool(place) + (place < last)) * work.coding_ns(rows[0])
        for place, (work, layers) in enumerate(zip(works, num_layers, strict=True))
    ]


def summed_rows(num_rows: int, num_places: int, place: int) -> tuple[int, int]:
    """Rows to which a place adds its part where a ring sums all, and those whose sums it is told."""
    before = (place - 1) % num_places
    return num_rows - _chunk(num_rows, num_places, before), num_rows - _chunk(num_rows, num_places, place)


def _pairs(work: WorkTimes, num_rows: int, num_keys: int) -> int:
    """Pairs of a query and a key in one call; half of them are never computed where rows see those before."""
    if not work.architecture.is_decoder or num_rows == 1:
        return num_rows * num_keys
    return num_rows * (num_keys - num_rows) + num_rows * (num_rows + 1) // 2


def _chunk(num_rows: int, num: int, place: int) -> int:
    return num_rows * (place + 1) // num - num_rows * place // num


def _sum_around(clock: RingClock, works: Sequence[WorkTimes], num_rows: int) -> Rounds:
    """An all-reduce by a ring: sums of a chunk go around once, and the result once again."""
    num, first = len(works), works[0]
    chunks = [_chunk(num_rows, num, place) for place in range(num)]
    sizes = [
        wire_bytes(first.wire, rows, first.architecture.hidden_size, first.itemsize) + HEADER_BYTES
        for rows in chunks
    ]
    hops = []
    for step in range(2 * (num - 1)):
        sent = [(place - 1 - step) % num for place in range(num)]
        came = [chunks[sent[place - 1]] for place in range(num)]
        hops.append(
            Hop(
                busy_ns=tuple(
                    link.busy_ns(sizes[chunk]) for link, chunk in zip(clock.links, sent, strict=True)
                ),
                work_ns=tuple(
                    (work.sum_ns(rows) if step < num - 1 else 0.0) + work.coding_ns(rows)
                    for work, rows in zip(works, came, strict=True)
                ),
            )
        )
    return Rounds.of(hops)
