"""Shares of heads and columns so that the slowest device is as fast as can be; arithmetic only.

Both halves of a layer end when their slowest device does, so that the greatest times of both are to be
small together. Each takes a device a constant and so much for each head or column; memory is shared by
both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heapreplace
from itertools import permutations, product
from math import ceil, floor, inf

from workloads.galaxy.memory import MemoryNeed

_BELOW = 1 - 1e-12
"""Rounding must not give anybody more than it has until a level."""
_MOST_MOVES = 64
_MOST_GIVEN = 3
"""Heads that are moved at once where memory is full."""
_LEANING, _FEW = (0.06, 0.12, 0.2), 3
"""Parts of their columns that all but the fastest give away; of more seats, only one of them is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A time that grows evenly [ns]."""

    base: float
    each: float

    def at(self, size: int) -> float:
        """The time of so many."""
        return self.base + self.each * size


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A device that may take heads and columns."""

    attention: Line
    """For each head of keys and values."""
    mlp: Line
    """For each column."""
    need: MemoryNeed
    budget_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How many heads of keys and values, and columns, each seat has."""

    heads: tuple[int, ...]
    columns: tuple[int, ...]


def balanced(seats: Sequence[Seat], num_heads: int, num_columns: int) -> Shares | None:
    """The best shares that fit, at least one head and column for each seat; None where none are found."""
    level = _levelled(seats, num_heads, num_columns)
    if level is None or _fit(seats, level):
        return level
    starts = _starts(seats, num_heads, num_columns)
    found = [_moved(seats, start, num_columns) for start in starts]
    best = min((one for one in found if one is not None), key=lambda one: one[0], default=None)
    return None if best is None else best[1]


def has_room(seats: Sequence[Seat], num_heads: int, num_columns: int) -> bool:
    """Whether memory leaves each half levelled as it would be without limits."""
    level = _levelled(seats, num_heads, num_columns)
    return level is None or _fit(seats, level)


def _levelled(seats: Sequence[Seat], num_heads: int, num_columns: int) -> Shares | None:
    """Both halves by themselves, whatever memory there is; None where there are too few heads or columns."""
    heads = least_latest([seat.attention for seat in seats], num_heads, [num_heads] * len(seats))
    columns = least_latest([seat.mlp for seat in seats], num_columns, [num_columns] * len(seats))
    if heads is None or columns is None:
        return None
    return Shares(heads=tuple(heads), columns=tuple(columns))


def _fit(seats: Sequence[Seat], shares: Shares) -> bool:
    each = zip(seats, shares.heads, shares.columns, strict=True)
    return all(seat.need.of(*sizes) <= seat.budget_bytes for seat, *sizes in each)


def made_up(seats: Sequence[Seat], num_heads: int, num_columns: int) -> Shares | None:
    """Shares that fit and whose columns make up for heads being whole; None where none are found.

    Halves overlap: who is late in one of them catches up where it has less to do in the other. Heads are
    some next to what would be level if they could be cut; the latest of both halves together is as early as
    can be.
    """
    found: list[tuple[float, Shares]] = []
    for heads in _near_level(seats, num_heads):
        both = _both_halves(seats, heads)
        columns = least_latest(both, num_columns, _room_for_columns(seats, heads, num_columns))
        if columns is not None:
            latest = max(line.at(size) for line, size in zip(both, columns, strict=True))
            found.append((latest, Shares(heads=heads, columns=tuple(columns))))
    best = min(found, key=lambda one: one[0], default=None)
    return None if best is None else best[1]


def leaning(seats: Sequence[Seat], shares: Shares) -> Iterator[Shares]:
    """Shares with some columns of all others moved to the fastest seat, as far as it has room.

    What a slow device makes goes around the ring: others wait for it, though no half by itself shows that.
    """
    fastest = min(range(len(seats)), key=lambda place: seats[place].mlp.each)
    for part in _LEANING if len(seats) <= _FEW else _LEANING[1:2]:
        columns = [max(1, round(own * (1.0 - part))) for own in shares.columns]
        columns[fastest] += sum(shares.columns) - sum(columns)
        found = replace(shares, columns=tuple(columns))
        if _fit(seats, found):
            yield found


def beside_full(seats: Sequence[Seat], shares: Shares, num_columns: int) -> Iterator[Shares]:
    """Shares next to others where memory is full: some heads of a seat moved to another one.

    What a seat gives away in heads it may hold in columns. Columns are levelled by themselves, or so that
    both halves together are.
    """
    for giver, taker in permutations(range(len(seats)), 2):
        for count in range(1, min(_MOST_GIVEN, shares.heads[giver] - 1) + 1):
            heads = list(shares.heads)
            heads[giver] -= count
            heads[taker] += count
            room = _room_for_columns(seats, heads, num_columns)
            for lines in ([seat.mlp for seat in seats], _both_halves(seats, heads)):
                columns = least_latest(lines, num_columns, room)
                if columns is not None:
                    yield Shares(heads=tuple(heads), columns=tuple(columns))


def _both_halves(seats: Sequence[Seat], heads: Sequence[int]) -> list[Line]:
    """The time of both halves together, for each column beside these heads."""
    return [
        Line(base=seat.attention.at(own) + seat.mlp.base, each=seat.mlp.each)
        for seat, own in zip(seats, heads, strict=True)
    ]


def _near_level(seats: Sequence[Seat], num_heads: int) -> Iterator[tuple[int, ...]]:
    """Whole heads that add up, each the next below or above its part of an even level."""
    lines = [seat.attention for seat in seats]
    room = [min(num_heads, _heads_beside(seat, 1)) for seat in seats]
    if min(room) < 1 or sum(room) < num_heads:
        return
    level = _level(lines, num_heads, room)
    parts = [(level - line.base) / line.each for line in lines]
    near = [
        sorted({max(1, min(limit, size)) for size in (floor(part), ceil(part))})
        for part, limit in zip(parts, room, strict=True)
    ]
    yield from (heads for heads in product(*near) if sum(heads) == num_heads)


def least_latest(lines: Sequence[Line], total: int, most: Sequence[int]) -> list[int] | None:
    """Sizes that add up, from 1 to ``most``, so that the latest of all lines is as early as can be."""
    if total < len(lines) or sum(most) < total or min(most) < 1:
        return None
    level = _level(lines, total, most)
    sizes = [
        max(1, min(limit, floor((level - line.base) / line.each * _BELOW)))
        for line, limit in zip(lines, most, strict=True)
    ]
    # Nobody has more than it must have; the rest goes where it is done first, one by one.
    left = [(line.at(size + 1), place) for place, (line, size) in enumerate(zip(lines, sizes, strict=True))]
    left = [one for one in left if sizes[one[1]] < most[one[1]]]
    heapify(left)
    for _ in range(total - sum(sizes)):
        place = left[0][1]
        sizes[place] += 1
        if sizes[place] < most[place]:
            heapreplace(left, (lines[place].at(sizes[place] + 1), place))
        else:
            heappop(left)
    return sizes


def _level(lines: Sequence[Line], total: int, most: Sequence[int]) -> float:
    """When all end together, where parts may be had too; nobody has less than 1 or more than it may."""
    left, free = float(total), set(range(len(lines)))
    while True:
        width = sum(1.0 / lines[place].each for place in free)
        level = (left + sum(lines[place].base / lines[place].each for place in free)) / width
        sizes = {place: (level - lines[place].base) / lines[place].each for place in free}
        under = {place for place in free if sizes[place] < 1}
        over = {place for place in free if sizes[place] > most[place]}
        missing = sum(1 - sizes[place] for place in under)
        excess = sum(sizes[place] - most[place] for place in over)
        fixed = under if missing >= excess else over
        if not fixed or fixed == free:
            return level
        left -= sum(1 if fixed is under else most[place] for place in fixed)
        free -= fixed


def _heads_beside(seat: Seat, columns: int) -> int:
    left = seat.budget_bytes - seat.need.of(0, columns)
    return max(0, floor(left / seat.need.per_head_bytes))


def _columns_beside(seat: Seat, heads: int) -> int:
    left = seat.budget_bytes - seat.need.of(heads, 0)
    return max(0, floor(left / seat.need.per_column_bytes))


def _room_for_columns(seats: Sequence[Seat], heads: Sequence[int], num_columns: int) -> list[int]:
    return [min(num_columns, _columns_beside(seat, own)) for seat, own in zip(seats, heads, strict=True)]


def _columns(seats: Sequence[Seat], heads: Sequence[int], num_columns: int) -> list[int] | None:
    most = _room_for_columns(seats, heads, num_columns)
    return least_latest([seat.mlp for seat in seats], num_columns, most)


def _starts(seats: Sequence[Seat], num_heads: int, num_columns: int) -> Iterator[list[int]]:
    """Heads where heads come first, where columns do, and in proportion to the room."""
    lines, room = [seat.attention for seat in seats], [_heads_beside(seat, 1) for seat in seats]
    heads = least_latest(lines, num_heads, room)
    if heads is None:
        return
    yield heads
    most = [min(num_columns, _columns_beside(seat, 1)) for seat in seats]
    columns = least_latest([seat.mlp for seat in seats], num_columns, most)
    if columns is not None:
        beside = [_heads_beside(seat, own) for seat, own in zip(seats, columns, strict=True)]
        heads = least_latest(lines, num_heads, beside)
        if heads is not None:
            yield heads
    by_room = [Line(base=0.0, each=1.0 / most) for most in room]
    heads = least_latest(by_room, num_heads, room)
    if heads is not None:
        yield heads


def _moved(seats: Sequence[Seat], heads: Sequence[int], num_columns: int) -> tuple[float, Shares] | None:
    """The best shares that moving one head after the other leads to."""
    now, columns, cost = list(heads), _columns(seats, heads, num_columns), inf
    if columns is not None:
        cost = _cost(seats, now, columns)
    for _ in range(_MOST_MOVES):
        moved = [(_tried(seats, trial, num_columns), trial) for trial in _moves(seats, now, num_columns)]
        (best, found), trial = min(moved, key=lambda move: move[0][0], default=((inf, None), now))
        if found is None or best >= cost:
            break
        now, columns, cost = trial, found, best
    if columns is None:
        return None
    return cost, Shares(heads=tuple(now), columns=tuple(columns))


def _moves(seats: Sequence[Seat], heads: Sequence[int], num_columns: int) -> Iterator[list[int]]:
    """One head away from a seat that others wait for, or whose memory is full, to any other."""
    times = [seat.attention.at(own) for seat, own in zip(seats, heads, strict=True)]
    latest = max(times)
    for giver, own in enumerate(heads):
        is_full = _columns_beside(seats[giver], own) < num_columns
        if own < 2 or not (is_full or times[giver] == latest):
            continue
        for taker in range(len(heads)):
            if taker != giver:
                trial = list(heads)
                trial[giver] -= 1
                trial[taker] += 1
                yield trial


def _tried(seats: Sequence[Seat], heads: Sequence[int], num_columns: int) -> tuple[float, list[int] | None]:
    columns = _columns(seats, heads, num_columns)
    return (inf, None) if columns is None else (_cost(seats, heads, columns), columns)


def _cost(seats: Sequence[Seat], heads: Sequence[int], columns: Sequence[int]) -> float:
    attention = max(seat.attention.at(own) for seat, own in zip(seats, heads, strict=True))
    return attention + max(seat.mlp.at(own) for seat, own in zip(seats, columns, strict=True))
