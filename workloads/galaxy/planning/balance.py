"""Shares of heads and columns so that the slowest device is as fast as can be; arithmetic only.

Both halves of a layer end when their slowest device does, so that the greatest times of both are to be
small together. Each takes a device a constant and so much for each head or column; memory is shared by
both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heapreplace
from itertools import product
from math import ceil, floor

from workloads.galaxy.memory import MemoryNeed

_BELOW = 1 - 1e-12
"""Rounding must not give anybody more than it has until a level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A time that grows evenly [ns]."""

    base: float
    each: float

    def at(self, size: int) -> float:
        """The time of so many."""
        return self.base + self.each * size

    def slower(self, factor: float) -> "Line":
        """So many times as long."""
        return Line(base=factor * self.base, each=factor * self.each)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A device that may take heads and columns."""

    attention: Line
    """For each head of keys and values."""
    mlp: Line
    """For each column."""
    need: MemoryNeed
    budget_bytes: float

    def slower(self, factor: float) -> "Seat":
        """A device that takes so many times as long."""
        return replace(self, attention=self.attention.slower(factor), mlp=self.mlp.slower(factor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """How many heads of keys and values, and columns, each seat has."""

    heads: tuple[int, ...]
    columns: tuple[int, ...]


def levelled(seats: Sequence[Seat], num_heads: int, num_columns: int) -> Shares | None:
    """Both halves by themselves, whatever memory there is; None where there are too few heads or columns."""
    heads = least_latest([seat.attention for seat in seats], num_heads, [num_heads] * len(seats))
    columns = least_latest([seat.mlp for seat in seats], num_columns, [num_columns] * len(seats))
    if heads is None or columns is None:
        return None
    return Shares(heads=tuple(heads), columns=tuple(columns))


def fit(seats: Sequence[Seat], shares: Shares) -> bool:
    """Whether each seat may hold its share."""
    each = zip(seats, shares.heads, shares.columns, strict=True)
    return all(seat.need.of(*sizes) <= seat.budget_bytes for seat, *sizes in each)


def with_heads(seats: Sequence[Seat], heads: tuple[int, ...], num_columns: int) -> Shares | None:
    """Columns levelled beside these heads, as far as memory goes; None where it does not."""
    most = _room_for_columns(seats, heads, num_columns)
    columns = least_latest([seat.mlp for seat in seats], num_columns, most)
    return None if columns is None else Shares(heads=heads, columns=tuple(columns))


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


def leaning(seats: Sequence[Seat], num_heads: int, num_columns: int, factor: float) -> Shares | None:
    """Shares that are level if all but the fastest seat took so many times as long; None if they do not fit.

    What a slow device makes goes around the ring: others wait for it, though no half by itself shows that.
    """
    fastest = min(range(len(seats)), key=lambda place: seats[place].mlp.each)
    leant = [seat if place == fastest else seat.slower(factor) for place, seat in enumerate(seats)]
    found = levelled(leant, num_heads, num_columns)
    return found if found is not None and fit(seats, found) else None


def _both_halves(seats: Sequence[Seat], heads: Sequence[int]) -> list[Line]:
    """The time of both halves together, for each column beside these heads."""
    return [
        Line(base=seat.attention.at(own) + seat.mlp.base, each=seat.mlp.each)
        for seat, own in zip(seats, heads, strict=True)
    ]


def _near_level(seats: Sequence[Seat], num_heads: int) -> Iterator[tuple[int, ...]]:
    """Whole heads that add up, each the next below or above its part of an even level."""
    lines = [seat.attention for seat in seats]
    room = [min(num_heads, heads_beside(seat, 1)) for seat in seats]
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


def heads_beside(seat: Seat, columns: int) -> int:
    """How many heads a seat may hold beside so many columns."""
    left = seat.budget_bytes - seat.need.of(0, columns)
    return max(0, floor(left / seat.need.per_head_bytes))


def _columns_beside(seat: Seat, heads: int) -> int:
    left = seat.budget_bytes - seat.need.of(heads, 0)
    return max(0, floor(left / seat.need.per_column_bytes))


def _room_for_columns(seats: Sequence[Seat], heads: Sequence[int], num_columns: int) -> list[int]:
    return [min(num_columns, _columns_beside(seat, own)) for seat, own in zip(seats, heads, strict=True)]
