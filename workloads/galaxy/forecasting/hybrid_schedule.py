"""When a hybrid layer is done: gathers, products and sums of tiles in an order that is fixed beforehand.

The devices themselves do what is most urgent of what is there (``schedule``). With a fixed order instead,
every moment is the later of others plus a duration, so that a faster device or link never makes anything
later, and the best shares of heads and columns are those of a linear programme;
``benchmarks.galaxy_planner`` compares both orders.

Rows of place p go around from p to p + 1 and on; each device works on its own first, then on those of p -
1, p - 2, ... as they come. Sums go around in the same order and end where the rows belong: those of p begin
at p + 1. Nobody waits for a sum of others: it is added when it comes.
"""

from collections.abc import Sequence

from workloads.galaxy.forecasting.ring_clock import Clock, Tiles, Time
from workloads.galaxy.forecasting.ring_work import PerTile, RingWork


def hybrid_layer(clock: Clock[Time], work: RingWork[Time], ready: Tiles[Time]) -> Tiles[Time]:
    """When the tiles of each place are ready for the next layer, if they are ``ready`` for this one then."""
    return mlp_half(clock, work, attention_half(clock, work, gathered(clock, work, ready)))


def gathered(clock: Clock[Time], work: RingWork[Time], ready: Tiles[Time]) -> list[Tiles[Time]]:
    """For each step and place, when the rows of the place so many steps before are there."""
    num, here = len(ready), ready
    arrivals = [ready]
    for step in range(num - 1):
        there: Tiles[Time] = [[] for _ in range(num)]
        for place in range(num):
            sizes = work.num_bytes[(place - step) % num]
            there[(place + 1) % num] = [
                clock.send(place, time, size) for time, size in zip(here[place], sizes, strict=True)
            ]
        arrivals.append(there)
        here = there
    return arrivals


def attention_half(clock: Clock[Time], work: RingWork[Time], arrivals: list[Tiles[Time]]) -> Tiles[Time]:
    """Entry products as rows arrive; attention with its product, and the sums; residual and norm.

    Rows of a decoder see those before them only: once the first rows are there, those up to the own ones
    attend, the own ones last, and then the rest of the entries follows.
    """
    num = len(arrivals)
    owned: Tiles[Time] = [[] for _ in range(num)]
    partial: Tiles[Time] = [[] for _ in range(num)]
    for step in range(num):
        for place in range(num):
            if work.is_causal and step == place + 1:
                owned[place] = [clock.work(place, duration) for duration in work.attended[place][place]]
            for before in _entered(place, step, num, is_causal=work.is_causal):
                _products(clock, place, arrivals[before][place], work.entry[place][(place - before) % num])
        if step:
            partial = _summed(clock, work, work.attended, step, partial)
    for place in range(num):
        if not owned[place]:
            owned[place] = [clock.work(place, duration) for duration in work.attended[place][place]]
    return _finished(clock, work, owned, partial)


def mlp_half(clock: Clock[Time], work: RingWork[Time], ready: Tiles[Time]) -> Tiles[Time]:
    """Gather, both products and the sums, tile by tile; residual and norm."""
    num = len(ready)
    arrivals = gathered(clock, work, ready)
    owned = [_products(clock, place, ready[place], work.mlp[place][place]) for place in range(num)]
    partial: Tiles[Time] = [[] for _ in range(num)]
    for step in range(1, num):
        partial = _summed(clock, work, work.mlp, step, partial, arrivals[step])
    return _finished(clock, work, owned, partial)


def _entered(place: int, step: int, num: int, *, is_causal: bool) -> range:
    """The rows (steps of the gathering) whose entry products come before a step of the sums."""
    if step == 0:
        return range(place + 1 if is_causal else num)
    return range(place + 1, num) if is_causal and step == place + 1 else range(0)


def _products(clock: Clock[Time], place: int, ready: Sequence[Time], durations: Sequence[Time]) -> list[Time]:
    ends = []
    for time, duration in zip(ready, durations, strict=True):
        clock.wait(place, time)
        ends.append(clock.work(place, duration))
    return ends


def _summed(
    clock: Clock[Time],
    work: RingWork[Time],
    durations: PerTile[Time],
    step: int,
    partial: Tiles[Time],
    arrivals: Tiles[Time] | None = None,
) -> Tiles[Time]:
    """One step of the sums: each place works on the rows so many places before, and sends them on."""
    num = len(durations)
    made: Tiles[Time] = [[] for _ in range(num)]
    for place in range(num):
        chunk, sent = (place - step) % num, made[(place + 1) % num]
        for tile, duration in enumerate(durations[place][chunk]):
            if arrivals is not None:
                clock.wait(place, arrivals[place][tile])
            end = clock.work(place, duration)
            if step > 1:
                end = clock.joined(place, end, partial[place][tile], work.added[place][chunk][tile])
            sent.append(clock.send(place, end, work.num_bytes[chunk][tile]))
    return made


def _finished(
    clock: Clock[Time], work: RingWork[Time], owned: Tiles[Time], partial: Tiles[Time]
) -> Tiles[Time]:
    """Own rows, whose sums have come around."""
    return [
        [
            clock.joined(place, end, time, duration)
            for end, time, duration in zip(owned[place], partial[place], work.finished[place], strict=True)
        ]
        for place in range(len(owned))
    ]
