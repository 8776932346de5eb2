"""What neighbours of a good plan take: columns, heads and rows moved between devices; arithmetic only.

What a slow device makes goes around the ring, and others wait for it, though no half of a layer by itself
shows that; nor does it show where rows had better be. The forecast does, so that what it likes better is
taken, in smaller and smaller moves.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations
from math import ceil

from workloads.galaxy.memory import shared_need
from workloads.galaxy.plan import ParallelPlan
from workloads.galaxy.planning.balance import Shares
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.ring_choice import RingChoice

MOST_GAIN = 1.08
"""Times faster than before a plan may get: what is slower than another by more need not be polished."""
_PARTS = ((0.08, 0.5), (0.04, 0.25), (0.02, 0.125))
"""Of an even share of columns, and of rows, that are moved at once; heads and tiles at first only."""
_LEAST_ROWS = 0.25
_GAIN = 1e-3
"""Part of the latency that is worth a move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingPlan:
    """A plan, what was chosen for it, and how long it is foreseen to take."""

    choice: RingChoice
    shares: Shares
    plan: ParallelPlan
    latency_ns: float


_Move = Callable[[RingChoice, Shares], "tuple[RingChoice, Shares] | None"]


def polished(
    problem: PlanProblem, begin: RingPlan, starts: Iterable[Shares], tile_counts: Sequence[int]
) -> RingPlan:
    """A plan that is no slower, and at most ``MOST_GAIN`` times as fast.

    ``starts`` are other shares to begin with; ``tile_counts`` numbers of tiles to try, in ascending order.
    """
    best, least = begin, begin.latency_ns / MOST_GAIN
    for shares in starts:
        best = _better(problem, best, (begin.choice, shares), least) or best
    for part, rows in _PARTS:
        moves = [*_fine_moves(problem, begin.choice, part, rows)]
        if (part, rows) == _PARTS[0]:
            moves += _coarse_moves(problem, begin.choice, tile_counts)
        last = len(moves)
        place = 0
        # Around and around, until all of them were of no use one after the other.
        while last:
            trial = moves[place](best.choice, best.shares)
            found = None if trial is None else _better(problem, best, trial, least)
            last = len(moves) if found else last - 1
            place = place if found else (place + 1) % len(moves)
            best = found or best
    return best


def _better(
    problem: PlanProblem, than: RingPlan, trial: tuple[RingChoice, Shares], least_ns: float
) -> RingPlan | None:
    choice, shares = trial
    plan, limit = choice.plan(problem.architecture, shares), than.latency_ns * (1 - _GAIN)
    foreseen = problem.forecast(plan, limit)
    if not least_ns <= foreseen.latency_ns < limit or not problem.fits(foreseen, plan):
        return None
    return RingPlan(choice=choice, shares=shares, plan=plan, latency_ns=foreseen.latency_ns)


def _fine_moves(problem: PlanProblem, choice: RingChoice, part: float, rows: float) -> Iterator[_Move]:
    num = len(choice.order)
    columns = max(1, round(part * problem.architecture.ffn_size / num))
    for giver, taker in permutations(range(num), 2):
        yield partial(_columns_moved, giver, taker, columns)
        yield partial(_rows_moved, giver, taker, rows)


def _coarse_moves(problem: PlanProblem, choice: RingChoice, tile_counts: Sequence[int]) -> Iterator[_Move]:
    """Whole heads, also in exchange for columns that take as much memory, and numbers of tiles."""
    need = shared_need(problem.architecture, choice.strategy, problem.load, choice.wire, 1)
    as_large = ceil(need.per_head_bytes / need.per_column_bytes)
    for giver, taker in permutations(range(len(choice.order)), 2):
        yield partial(_heads_moved, giver, taker, 0)
        yield partial(_heads_moved, giver, taker, as_large)
    for step in (-1, 1):
        yield partial(_tiles_moved, tile_counts, step)


def _tiles_moved(
    counts: Sequence[int], step: int, choice: RingChoice, shares: Shares
) -> tuple[RingChoice, Shares] | None:
    place = counts.index(choice.num_tiles) + step
    return (replace(choice, num_tiles=counts[place]), shares) if 0 <= place < len(counts) else None


def _columns_moved(
    giver: int, taker: int, count: int, choice: RingChoice, shares: Shares
) -> tuple[RingChoice, Shares] | None:
    columns = _moved(shares.columns, giver, taker, count)
    return None if columns is None else (choice, replace(shares, columns=columns))


def _heads_moved(
    giver: int, taker: int, back: int, choice: RingChoice, shares: Shares
) -> tuple[RingChoice, Shares] | None:
    """A head one way, and columns the other."""
    heads, columns = _moved(shares.heads, giver, taker, 1), _moved(shares.columns, taker, giver, back)
    return None if heads is None or columns is None else (choice, Shares(heads=heads, columns=columns))


def _rows_moved(
    giver: int, taker: int, count: float, choice: RingChoice, shares: Shares
) -> tuple[RingChoice, Shares] | None:
    weights = list(choice.weights)
    weights[giver] -= count
    weights[taker] += count
    return None if weights[giver] < _LEAST_ROWS else (replace(choice, weights=tuple(weights)), shares)


def _moved(sizes: tuple[int, ...], giver: int, taker: int, count: int) -> tuple[int, ...] | None:
    moved = list(sizes)
    moved[giver] -= count
    moved[taker] += count
    return None if moved[giver] < 1 else tuple(moved)
