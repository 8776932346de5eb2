"""Which devices might work together, with how many rows; arithmetic only."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from workloads.galaxy.planning.ring_order import MOST_ORDERED, SAME
from workloads.galaxy.profile import LinkProfile

MOST_WHOLE = 8
"""Devices of which all subsets are looked at; of more, those that are best by one measure."""
MANY = 16
"""Of more devices, playing a plan takes so long that not all are."""
_ROW_STEPS, _ROW_STEPS_OF_MANY = 32, 8
"""In which an even share of rows is moved: finer ones take longer to find."""
_MORE_ROWS = 1.5
_MOST_OF_TWO = 1.4
_LEAST_ROWS = 0.25
"""Of an even share: fewer rows of a device leave too little to do beside their transfer."""


def subsets_of(
    devices: Sequence[int], most: int, orders: Sequence[Callable[[int], float]]
) -> Iterator[tuple[int, ...]]:
    """Two devices or more, up to ``most``: all subsets of few; of many, the first by each of ``orders``."""
    if min(len(devices), most) < 2:
        return
    if len(devices) <= MOST_WHOLE:
        for size in range(2, min(len(devices), most) + 1):
            yield from combinations(devices, size)
        return
    seen = set()
    for order in orders:
        ranked = sorted(devices, key=order)
        for size in _sizes(min(len(devices), most)):
            subset = tuple(sorted(ranked[:size]))
            if subset not in seen:
                seen.add(subset)
                yield subset


def row_weights(ring: Sequence[LinkProfile]) -> list[tuple[float, ...]]:
    """Weights of rows: even, and such that slower links carry less; only even where links are equal.

    A link carries all rows once to gather them and once to sum them, but not those of its receiver to
    gather and not those of its sender to sum.
    """
    num = len(ring)
    even = (1.0,) * num
    per_byte = [1.0 / link.rate for link in ring]
    if num < 3 or max(per_byte) <= (1 + SAME) * min(per_byte):
        return [even, *_uneven(num)]
    num_steps = _ROW_STEPS_OF_MANY if num > MANY else _ROW_STEPS
    weights, step = [1.0] * num, 1.0 / num_steps
    for _ in range(num_steps * num):
        busy = [
            (2 * num - weights[place] - weights[(place + 1) % num]) * time
            for place, time in enumerate(per_byte)
        ]
        slowest = max(range(num), key=busy.__getitem__)
        gaining = (slowest, (slowest + 1) % num)
        losing = [place for place in range(num) if place not in gaining and weights[place] > _LEAST_ROWS]
        if not losing:
            break
        loser = min(losing, key=lambda place: max(busy[place], busy[place - 1]))
        trial = list(weights)
        trial[loser] -= step
        for place in gaining:
            trial[place] += step / 2
        after = max(
            (2 * num - trial[place] - trial[(place + 1) % num]) * time for place, time in enumerate(per_byte)
        )
        if after >= busy[slowest]:
            break
        weights = trial
    if num > MANY:
        return [even, tuple(weights)]
    middle = tuple((weight + 1.0) / 2 for weight in weights)
    return [even, middle, tuple(weights), *_uneven(num)]


def _uneven(num: int) -> list[tuple[float, ...]]:
    """One of few devices with more rows than the others: waiting, or memory, may be less."""
    if num >= MOST_ORDERED:
        return []
    if num == 2:
        return [(_MOST_OF_TWO, 2 - _MOST_OF_TWO), (2 - _MOST_OF_TWO, _MOST_OF_TWO)]
    return [tuple(_MORE_ROWS if place == other else 1.0 for place in range(num)) for other in range(num)]


def _sizes(most: int) -> list[int]:
    """Numbers of devices: all of few, every second or so of many."""
    sizes = [size for size in (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64) if size < most]
    return [*sizes, most]
