"""Good orders around a ring: all of few places, a descent for many; arithmetic only.

Of many devices, a ring is changed as long as that helps: by turning a part of it around (2-opt; Croes,
Operations Research 6, 1958, 791) or by moving up to three neighbours elsewhere (Or, 1976). All such changes
are looked at together, each by the hops that it takes away and adds, and the best one is made.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_MOST_PERMUTED = 8
"""Of which the best of all orders are found."""
_LONGEST_MOVED = 3
_BETTER = 1.0 - 1e-12
"""Sums by differences are rounded; what is no better than this is none."""
Hops = NDArray[np.float64]
Places = NDArray[np.int64]


class _Goal(StrEnum):
    """What a ring is to have little of."""

    SLOWEST = "slowest hop"
    """And little in sum among rings with the same slowest hop."""
    SUM = "all hops"


def best_orders(hop_ns: Sequence[Sequence[float]], most_of_all: int) -> list[list[int]]:
    """Orders of the places of a ring, the first one first.

    ``hop_ns`` has the time from each place to each other. Of up to ``most_of_all`` places, all orders are
    given; of more, the best by each goal.
    """
    times = np.array(hop_ns)
    if len(times) <= most_of_all:
        return _permuted(times, _Goal.SLOWEST)
    if len(times) <= _MOST_PERMUTED:
        return [_permuted(times, goal)[0] for goal in _Goal]
    return _descents(times)


def _permuted(times: Hops, goal: _Goal) -> list[list[int]]:
    """All orders of few, the best first."""
    orders = _orders(len(times))
    hops = times[orders, np.roll(orders, -1, axis=1)]
    keys = (hops.sum(axis=1), hops.max(axis=1))
    ranked = np.lexsort(keys if goal is _Goal.SLOWEST else keys[::-1])
    found: list[list[int]] = orders[ranked].tolist()
    return found


@lru_cache(maxsize=8)
def _orders(num: int) -> Places:
    return np.array([(0, *order) for order in permutations(range(1, num))])


def _descents(times: Hops) -> list[list[int]]:
    """A ring for each goal: that of the sum is a second start for the slowest hop."""
    given = np.arange(len(times))
    shortest = _descended(times, given, _Goal.SUM)
    evenest = [_descended(times, start, _Goal.SLOWEST) for start in (given, shortest)]
    best = min(evenest, key=lambda order: _hops(times[np.ix_(order, order)]))
    return [best.tolist(), shortest.tolist()]


def _descended(times: Hops, order: Places, goal: _Goal) -> Places:
    """Places of a ring that no change makes better, the first one first."""
    slowest, total = _hops(times[np.ix_(order, order)])
    while True:
        found = _best_change(times[np.ix_(order, order)], goal)
        if goal is _Goal.SLOWEST:
            is_better = found.slowest < slowest or (found.slowest == slowest and found.sum < _BETTER * total)
        else:
            is_better = found.sum < _BETTER * total
        if not is_better:
            return order
        order = order[found.order]
        slowest, total = _hops(times[np.ix_(order, order)])


def _hops(times: Hops) -> tuple[float, float]:
    """The slowest hop of a ring, and all in sum."""
    hops = _forward(times)
    return float(hops.max()), float(hops.sum())


def _forward(times: Hops) -> Hops:
    """From each place to the next."""
    places = np.arange(len(times))
    return np.asarray(times[places, (places + 1) % len(times)])


class _Change(NamedTuple):
    slowest: float
    sum: float
    order: Places
    """Of the places as they were."""


def _best_change(times: Hops, goal: _Goal) -> _Change:
    """The best of all changes of a ring whose places are in their order."""
    num = len(times)
    tables = [_reversals(times), *(_moves(times, length) for length in range(1, _LONGEST_MOVED + 1))]
    best = [_least(table, goal) for table in tables]
    kind = min(range(len(best)), key=lambda one: best[one].cost)
    begin, other = best[kind].place
    places = np.arange(num)
    if kind == 0:
        order = np.concatenate([places[:begin], places[begin:other][::-1], places[other:]])
    else:
        rest = np.delete(places, np.s_[begin : begin + kind])
        order = np.concatenate([rest[:other], places[begin : begin + kind], rest[other:]])
    slowest, total = best[kind].cost if goal is _Goal.SLOWEST else best[kind].cost[::-1]
    return _Change(slowest=slowest, sum=total, order=order)


class _Table(NamedTuple):
    """Of changes by two places: what the ring would have; infinite where there is no such change."""

    slowest: Hops
    sums: Hops


class _Least(NamedTuple):
    cost: tuple[float, float]
    place: tuple[int, int]


def _least(table: _Table, goal: _Goal) -> _Least:
    """The best of a table, by what is to be least first."""
    if goal is _Goal.SLOWEST:
        first, second = table.slowest, np.where(table.slowest == table.slowest.min(), table.sums, np.inf)
        place = int(second.argmin())
    else:
        first, second = table.sums, table.slowest
        place = int(first.argmin())
    row, column = divmod(place, first.shape[1])
    return _Least(cost=(float(first[row, column]), float(second[row, column])), place=(row, column))


def _reversals(times: Hops) -> _Table:
    """The part from a row's place to before a column's is turned around ``[N, N + 1]``."""
    num = len(times)
    is_change, begins, ends, lasts = _reversed_parts(num)
    hops = _forward(times)
    back = np.append(np.diagonal(times, -1), 0.0)
    sums, back_sums = _running(hops), _running(back)
    before, behind = _greatest_before(hops), _greatest_before(hops[::-1])[::-1]
    entered, left = times[begins - 1, lasts], times[begins, ends % num]
    # The slowest of the way back, from each place on.
    turned = np.maximum.accumulate(np.where(np.tri(num, k=-1, dtype=bool), 0.0, back), axis=1)
    slowest = np.maximum.reduce(
        [before[begins - 1], entered, turned[begins, np.maximum(lasts - 1, begins)], left, behind[ends]]
    )
    total = sums[begins - 1] + entered + back_sums[lasts] - back_sums[begins] + left + sums[-1] - sums[ends]
    return _Table(slowest=np.where(is_change, slowest, np.inf), sums=np.where(is_change, total, np.inf))


@lru_cache(maxsize=64)
def _reversed_parts(num: int) -> tuple[NDArray[np.bool_], Places, Places, Places]:
    """Which parts can be turned around, where they begin and end, and their last places; safe elsewhere."""
    begins, ends = np.meshgrid(np.arange(num), np.arange(num + 1), indexing="ij")
    is_change = (begins >= 1) & (ends - begins >= 2)
    begins, ends = np.where(is_change, begins, 1), np.where(is_change, ends, min(3, num))
    return is_change, begins, ends, ends - 1


def _moves(times: Hops, length: int) -> _Table:
    """So many places from a row's on come to before a column's of the others ``[N, N]``."""
    num = len(times)
    if num < length + 2:
        return _Table(slowest=np.full((num, num), np.inf), sums=np.full((num, num), np.inf))
    is_change, begins, targets = _moved_parts(num, length)
    hops, lasts = _forward(times), begins + length - 1
    sums = _running(hops)
    # The ring without the part: its hops, one of which closes the gap.
    rest = np.arange(num - length)
    closing = times[np.arange(num) - 1, (np.arange(num) + length) % num]
    first = np.arange(num)[:, None]
    gone = np.where(rest < first - 1, hops[rest], hops[(rest + length) % num])
    gone = np.where(rest == first - 1, closing[:, None], gone)
    split = targets - 1
    ahead = np.where(split < begins, split, split + length)
    behind = np.where(targets < begins, targets, targets + length) % num
    entered, left = times[ahead, begins], times[lasts, behind]
    inner = _inner(hops, length)[begins]
    slowest = np.maximum.reduce([_greatest_without(gone)[begins, split], entered, left, inner])
    moved = sums[lasts] - sums[begins]
    total = gone.sum(axis=1)[begins] - gone[begins, split] + moved + entered + left
    return _Table(slowest=np.where(is_change, slowest, np.inf), sums=np.where(is_change, total, np.inf))


@lru_cache(maxsize=256)
def _moved_parts(num: int, length: int) -> tuple[NDArray[np.bool_], Places, Places]:
    """Which parts can be moved where, where they begin, and before which others they come; safe elsewhere."""
    begins, targets = np.meshgrid(np.arange(num), np.arange(num), indexing="ij")
    is_change = (begins >= 1) & (begins + length <= num) & (targets >= 1) & (targets <= num - length)
    is_change &= targets != begins
    return is_change, np.where(is_change, begins, 1), np.where(is_change, targets, 1)


def _inner(hops: Hops, length: int) -> Hops:
    """The slowest hop within a part, by where it begins."""
    found = np.zeros(len(hops))
    for more in range(length - 1):
        found = np.maximum(found, np.roll(hops, -more))
    return found


def _running(values: Hops) -> Hops:
    return np.concatenate([[0.0], np.cumsum(values)])


def _greatest_before(values: Hops) -> Hops:
    """The greatest before each place, and of all."""
    return np.concatenate([[0.0], np.maximum.accumulate(values)])


def _greatest_without(rows: Hops) -> Hops:
    """The greatest of each row without each of its values."""
    places = np.arange(len(rows))
    first = rows.argmax(axis=1)
    found = np.repeat(rows[places, first][:, None], rows.shape[1], axis=1)
    others = rows.copy()
    others[places, first] = -np.inf
    found[places, first] = others.max(axis=1)
    return found
