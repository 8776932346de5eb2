"""Shares of heads and columns where memory is short for those that would be level; arithmetic only."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import permutations
from math import floor, inf

from workloads.galaxy.planning.balance import (
    Line,
    Seat,
    Shares,
    fit,
    heads_beside,
    least_latest,
    levelled,
    with_heads,
)

_MOST_MOVES = 3
_HALVINGS = 14
"""Of an interval in which the end of the slowest MLP lies: only whole heads follow from it."""
_NEARLY = (1.08, 1.2)
"""Times the best, for shares whose attention ends as late as can be."""
_LOOKS = 32
"""At ends of the slowest attention, before the search goes on between the two next to the best."""


def balanced(seats: Sequence[Seat], num_heads: int, num_columns: int) -> Shares | None:
    """The best shares that fit, at least one head and column for each seat; None where none are found."""
    level = levelled(seats, num_heads, num_columns)
    if level is None or fit(seats, level):
        return level
    return next(iter(within_memory(seats, num_heads, num_columns)), None)


def within_memory(seats: Sequence[Seat], num_heads: int, num_columns: int) -> list[Shares]:
    """Shares where memory is short for those of an even level, the best first; none where none are found.

    A head takes as much memory of any seat, and so do columns. What the latest MLP ends at, if the latest
    attention ends at some moment, is then known but for whole heads; without these, their sum would be
    convex in that moment (the value of a linear programme). Many moments are looked at, then those between
    the two next to the best, until there are none. Where a much later attention costs little, that follows:
    halves overlap, so that it may well be faster.
    """
    room = [min(num_heads, heads_beside(seat, 1)) for seat in seats]
    if min(room) < 1 or sum(room) < num_heads or _is_too_little(seats, num_heads, num_columns):
        return []
    limits = zip(seats, room, strict=True)
    moments = sorted({seat.attention.at(own) for seat, most in limits for own in range(1, most + 1)})
    found: dict[int, tuple[float, Shares] | None] = {}
    first, last = 0, len(moments) - 1
    while True:
        step = max(1, (last - first) // _LOOKS)
        for index in {*range(first, last + 1, step), last} - found.keys():
            found[index] = _until(seats, moments[index], room, (num_heads, num_columns))
        # The earliest of equal ones; where there are none, the latest may have some next to it.
        best = min(found, key=lambda index: (_cost(found[index]), -index if found[index] is None else index))
        if step == 1:
            break
        first, last = max(0, best - step), min(len(moments) - 1, best + step)
    most = [factor * _cost(found[best]) for factor in _NEARLY]
    later = [max(index for index in found if _cost(found[index]) <= limit) for limit in most]
    tried = dict.fromkeys(found[index] for index in (best, *later))
    shares = [known[1] for known in tried if known is not None]
    return list(dict.fromkeys([_moved(seats, one, num_columns) for one in shares[:1]] + shares[1:]))


def _is_too_little(seats: Sequence[Seat], num_heads: int, num_columns: int) -> bool:
    """Whether all memory together is too little, however it is shared."""
    need = seats[0].need
    left = sum(seat.budget_bytes - seat.need.base_bytes for seat in seats)
    return left < num_heads * need.per_head_bytes + num_columns * need.per_column_bytes


def _moved(seats: Sequence[Seat], shares: Shares, num_columns: int) -> Shares:
    """The best that moving a head leads to: whom heads were given did not count what columns it costs."""
    for _ in range(_MOST_MOVES):
        moved = [with_heads(seats, heads, num_columns) for heads in _one_moved(shares.heads)]
        best = min((one for one in moved if one is not None), key=partial(_latest, seats), default=shares)
        if _latest(seats, best) >= _latest(seats, shares):
            break
        shares = best
    return shares


def _one_moved(heads: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for giver, taker in permutations(range(len(heads)), 2):
        if heads[giver] > 1:
            yield tuple(own + (place == taker) - (place == giver) for place, own in enumerate(heads))


def _latest(seats: Sequence[Seat], shares: Shares) -> float:
    """When the last attention ends, and after that the last MLP."""
    attention = max(seat.attention.at(own) for seat, own in zip(seats, shares.heads, strict=True))
    return attention + max(seat.mlp.at(own) for seat, own in zip(seats, shares.columns, strict=True))


def _until(
    seats: Sequence[Seat], moment: float, room: Sequence[int], totals: tuple[int, int]
) -> tuple[float, Shares] | None:
    """Shares whose attention ends at a moment, and the sum of when both halves end."""
    (num_heads, num_columns), lines = totals, [seat.attention for seat in seats]
    most = [min(limit, _size_at(line, moment)) for line, limit in zip(lines, room, strict=True)]
    if min(most) < 1 or sum(most) < num_heads:
        return None
    heads = least_latest(lines, num_heads, _beside_columns(seats, most, totals))
    shares = None if heads is None else with_heads(seats, tuple(heads), num_columns)
    if shares is None:
        return None
    return _latest(seats, shares), shares


def _beside_columns(seats: Sequence[Seat], most: Sequence[int], totals: tuple[int, int]) -> list[int]:
    """How many heads each seat may have so that the latest MLP ends as early as can be."""
    (num_heads, num_columns), need = totals, seats[0].need
    columns_of_head = need.per_head_bytes / need.per_column_bytes
    early = max(seat.mlp.at(1) for seat in seats)
    late = max(seat.mlp.at(num_columns) for seat in seats)
    for _ in range(_HALVINGS):
        middle = (early + late) / 2
        columns = [min(num_columns, _size_at(seat.mlp, middle)) for seat in seats]
        missing = num_heads - sum(_free_heads(seats, most, columns))
        if sum(columns) - max(0, missing) * columns_of_head >= num_columns:
            late = middle
        else:
            early = middle
    free = _free_heads(seats, most, [min(num_columns, _size_at(seat.mlp, late)) for seat in seats])
    # Whoever has one more gives as many columns away.
    for _ in range(num_heads - sum(free)):
        open_seats = [place for place, own in enumerate(free) if own < most[place]]
        free[min(open_seats, key=lambda place: seats[place].attention.at(free[place] + 1))] += 1
    return free


def _free_heads(seats: Sequence[Seat], most: Sequence[int], columns: Sequence[int]) -> list[int]:
    """Heads for which memory is left beside these columns, at least one."""
    return [
        max(1, min(limit, heads_beside(seat, own)))
        for seat, limit, own in zip(seats, most, columns, strict=True)
    ]


def _size_at(line: Line, moment: float) -> int:
    """The most that is done by then."""
    return floor((moment - line.base) / line.each * (1 + 1e-12))


def _cost(found: tuple[float, Shares] | None) -> float:
    return inf if found is None else found[0]
