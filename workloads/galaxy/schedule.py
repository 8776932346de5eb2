"""Which piece of work a device of a hybrid plan does next; arithmetic only. Devices and forecasts ask here.

Each layer is two halves, attention and MLP, numbered through the model. A half of device d on a ring of D:

* a tile of *entries* (hidden states, normed where the family norms before a part) is **gathered**: its owner
  sends it to the next device, and each device passes it on until all have it. All devices embed all tokens,
  so that the entries of half 0 are there at once.
* ``ENTER`` (attention only) multiplies a tile by queries, keys and values, ``ATTEND`` attends with all rows
  at once (where there are several sequences or a past), ``EXIT`` makes this device's part of a tile's sum:
  attention and output product, or the products of the MLP.
* the **partial** sum of a tile of owner j begins on device j + 1, and each next one adds its own. ``FINISH``
  adds what arrived and sends it on; on the owner it adds the residual and norms, and the tile is gathered for
  the next half.

Nobody waits for anything in particular: the most urgent piece whose inputs are here is done. Sums are made in
the order of the ring, so that no result depends on what arrives when.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from heapq import heappop, heappush
from typing import NamedTuple

from workloads.galaxy.plan import ParallelPlan
from workloads.transformer.split import Span


class Work(IntEnum):
    """Kinds of pieces, the most urgent first."""

    FINISH = 0
    """Others wait for it. It comes before all other work of any half."""
    EXIT = 1
    ATTEND = 2
    ENTER = 3


class Flow(StrEnum):
    """When rows can attend."""

    CAUSAL = "causal"
    """A tile as soon as all rows before it have entered."""
    FULL = "full"
    """Tile by tile, when all rows have entered."""
    WHOLE = "whole"
    """All rows at once, when they have entered."""


class Job(NamedTuple):
    """One piece of work; of those that are ready the least is done first."""

    is_later: bool
    """False of what others wait for."""
    half: int
    work: Work
    order: int
    """Among pieces of one kind: exits that go farthest first, own last; entries as they arrive."""
    tile: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """Some neighbouring rows."""

    owner: int
    """The place on the ring whose rows they are."""
    rows: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class _Half:
    """What waits for what in one half: numbers of pieces, those of a tile ``num_tiles`` apart."""

    needs: tuple[int, ...]
    """How many inputs each piece waits for."""
    feeds: tuple[tuple[int, ...], ...]
    """Which pieces wait for it."""
    gathers: int
    """The piece of tile 0 that a gathered tile feeds."""
    num_jobs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All pieces of one pass on one device."""

    place: int
    """On the ring."""
    num_places: int
    tiles: tuple[Tile, ...]
    """Of all devices, in the order of rows."""
    flow: Flow
    attention: _Half
    mlp: _Half

    def is_own(self, tile: int) -> bool:
        """Whether the tile is one of this device's rows."""
        return self.tiles[tile].owner == self.place

    def begins(self, tile: int) -> bool:
        """Whether this device is the first to add to a tile's sum: no partial sum arrives."""
        return (self.place - self.tiles[tile].owner - 1) % self.num_places == 0

    def passes_on(self, tile: int) -> bool:
        """Whether a gathered tile goes on to the next device."""
        return (self.place + 1) % self.num_places != self.tiles[tile].owner

    def half(self, half: int) -> _Half:
        """What waits for what in a half."""
        return self.mlp if half % 2 else self.attention

    def job(self, half: int, piece: int) -> Job | None:
        """The work of a piece; None where there is nothing to do."""
        num_tiles = len(self.tiles)
        kind, tile = divmod(piece, num_tiles)
        if kind > Work.ENTER:
            return None
        distance = self.place - self.tiles[tile].owner
        work = Work(kind)
        far = (distance if work is Work.ENTER else distance - 1) % self.num_places
        return Job(work is not Work.FINISH, half, work, far * num_tiles + tile, tile)


def schedule_of(plan: ParallelPlan, place: int, num_rows: int, flow: Flow) -> Schedule:
    """The pieces of a pass of so many rows for the device at a place of the ring."""
    tiles = tuple(
        Tile(owner=owner, rows=rows)
        for owner, own in enumerate(plan.row_spans(num_rows))
        for rows in plan.tiles(own)
    )
    begins = [(place - tile.owner - 1) % len(plan.parts) == 0 for tile in tiles]
    return Schedule(
        place=place,
        num_places=len(plan.parts),
        tiles=tiles,
        flow=flow,
        attention=_attention(begins, flow),
        mlp=_mlp(begins),
    )


class Progress:
    """How far one pass is: told what is there, it says what to do next."""

    def __init__(self, schedule: Schedule, num_halves: int) -> None:
        self._schedule = schedule
        self._num_tiles = len(schedule.tiles)
        self._missing = [list(schedule.half(half).needs) for half in range(num_halves)]
        self._ready: list[Job] = []
        self.num_left = sum(schedule.half(half).num_jobs for half in range(num_halves))
        """Pieces that are not done."""
        for tile in range(self._num_tiles):
            self.gathered(0, tile)

    def gathered(self, half: int, tile: int) -> None:
        """A tile's entries are here. Those of half 0 always are."""
        if half < len(self._missing):
            self._fed(half, self._schedule.half(half).gathers + tile)

    def partial(self, half: int, tile: int) -> None:
        """The partial sum of a tile is here."""
        self._fed(half, tile)

    def take(self) -> Job | None:
        """What to do now; None when all that is left waits for messages."""
        return heappop(self._ready) if self._ready else None

    def done(self, job: Job) -> None:
        """A piece is done. Who finished an own tile says then that it is gathered for the next half."""
        self.num_left -= 1
        for piece in self._schedule.half(job.half).feeds[job.work * self._num_tiles + job.tile]:
            self._fed(job.half, piece)

    def _fed(self, half: int, piece: int) -> None:
        missing = self._missing[half]
        missing[piece] -= 1
        if missing[piece]:
            return
        job = self._schedule.job(half, piece)
        if job is not None:
            heappush(self._ready, job)
            return
        for behind in self._schedule.half(half).feeds[piece]:
            self._fed(half, behind)


def _attention(begins: Sequence[bool], flow: Flow) -> _Half:
    """Pieces: FINISH, EXIT, ATTEND (one, of tile 0), ENTER, and that all rows up to a tile have entered."""
    num = len(begins)
    finish, leave, attend, enter, entered = (range(kind * num, (kind + 1) * num) for kind in range(5))
    waits: list[tuple[int, int]] = [(enter[tile], entered[tile]) for tile in range(num)]
    waits += [(entered[tile - 1], entered[tile]) for tile in range(1, num)]
    if flow is Flow.WHOLE:
        waits += [(entered[-1], attend[0]), *((attend[0], piece) for piece in leave)]
    else:
        waits += [(entered[tile if flow is Flow.CAUSAL else -1], leave[tile]) for tile in range(num)]
    waits += [(leave[tile], finish[tile]) for tile in range(num)]
    arriving = [*((enter[tile]) for tile in range(num)), *_partials(begins)]
    return _half(5 * num, waits, arriving, gathers=2 * num + num, num_jobs=3 * num + (flow is Flow.WHOLE))


def _mlp(begins: Sequence[bool]) -> _Half:
    num = len(begins)
    waits = [(num + tile, tile) for tile in range(num)]
    arriving = [*range(num, 2 * num), *_partials(begins)]
    return _half(2 * num, waits, arriving, gathers=num, num_jobs=2 * num)


def _partials(begins: Sequence[bool]) -> Iterator[int]:
    return (tile for tile, is_first in enumerate(begins) if not is_first)


def _half(
    num_pieces: int, waits: Sequence[tuple[int, int]], arriving: Sequence[int], *, gathers: int, num_jobs: int
) -> _Half:
    needs = [0] * num_pieces
    feeds: list[list[int]] = [[] for _ in range(num_pieces)]
    for before, behind in waits:
        feeds[before].append(behind)
        needs[behind] += 1
    for piece in arriving:
        needs[piece] += 1
    return _Half(
        needs=tuple(needs),
        feeds=tuple(tuple(behind) for behind in feeds),
        gathers=gathers,
        num_jobs=num_jobs,
    )
