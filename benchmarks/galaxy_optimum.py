"""The exact optimum of the planner's own forecast: cuts below a convex function, whole numbers by HiGHS.

For one ring (devices in their order, rows, tiles, wire format) every moment of the forecast is the later of
others plus a duration that grows evenly with a device's heads or columns. The latency is then convex in
them, and the slopes of its latest path are a cut below it everywhere. Whole heads and columns that are best
under all cuts (a small mixed integer programme) give the next cut, until the best known latency and the
least under the cuts meet (Kelley 1960, doi 10.1137/0108053).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import inf

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from benchmarks.galaxy_slopes import SlopedRing, Slopes
from workloads.galaxy.forecasting.ring_work import ring_tiles
from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy, shares_of, whole_share
from workloads.galaxy.planning.balance import Seat
from workloads.galaxy.planning.plan_bounds import needed_halves, needed_mlps
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.seats import seats_of
from workloads.galaxy.planning.short_memory import balanced
from workloads.galaxy.profile import NS_PER_S
from workloads.galaxy.wire_format import WireFormat, wire_bytes
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span

TILES = (1, 2, 3, 4, 6, 8, 12, 16)
_MOST_CUTS = 60
_SAME = 0.999
_LEAST_NS = 1e-6
"""Of a device that takes no time for anything."""
_MS, _MB = 1e6, 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class RingChoice:
    """What is enumerated: all but heads and columns."""

    order: tuple[int, ...]
    weights: tuple[float, ...]
    num_tiles: int
    wire: WireFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """Of one ring."""

    least_ns: float
    """Proved: no whole heads and columns are faster."""
    best_ns: float
    """Found."""


def ring_choices(problem: PlanProblem) -> Iterator[RingChoice]:
    """All subsets, all orders, all numbers of tiles, all formats, and rows in some proportions."""
    num = len(problem.cluster.devices)
    for size in range(2, min(num, problem.architecture.num_kv_heads) + 1):
        for devices in combinations(range(num), size):
            for rest in permutations(devices[1:]):
                for weights in _row_choices(size):
                    for num_tiles in TILES:
                        for wire in problem.wires:
                            yield RingChoice(
                                order=(devices[0], *rest), weights=weights, num_tiles=num_tiles, wire=wire
                            )


def _row_choices(num: int) -> list[tuple[float, ...]]:
    """Even, and one device with more or less than the others."""
    if num == 2:
        return [(1.0, 1.0), (0.6, 1.4), (1.4, 0.6)]
    places = [(place, more) for place in range(num) for more in (0.5, 1.5)]
    return [
        (1.0,) * num,
        *(tuple(more if other == place else 1.0 for other in range(num)) for place, more in places),
    ]


def sending_ns(problem: PlanProblem, ring: RingChoice) -> float:
    """No less than the busiest link sends until the answer is there."""
    plan = ring_plan(problem, ring)
    rows = [len(span) for span in plan.row_spans(problem.load.num_tokens)]
    sizes = [
        wire_bytes(ring.wire, own, problem.architecture.hidden_size, problem.load.itemsize) for own in rows
    ]
    num, halves = len(rows), needed_halves(problem.architecture)
    busy = []
    for place, device in enumerate(ring.order):
        link = problem.cluster.links[device][ring.order[(place + 1) % num]]
        gathered, summed = sum(sizes) - sizes[(place + 1) % num], sum(sizes) - sizes[place]
        busy.append(halves * (gathered + summed) / link.rate * NS_PER_S)
    return max(busy)


def ring_plan(
    problem: PlanProblem, ring: RingChoice, heads: Sequence[int] = (), columns: Sequence[int] = ()
) -> ParallelPlan:
    """The plan of a ring; without heads, one that knows rows only."""
    architecture = problem.architecture
    shares = (
        shares_of(architecture, heads, columns) if heads else (whole_share(architecture),) * len(ring.order)
    )
    return ParallelPlan(
        strategy=Strategy.HYBRID,
        parts=tuple(
            DevicePart(device=device, share=share, layers=Span(0, architecture.num_layers), row_weight=weight)
            for device, share, weight in zip(ring.order, shares, ring.weights, strict=True)
        ),
        num_tiles=ring.num_tiles,
        wire=ring.wire,
    )


def optimum(problem: PlanProblem, ring: RingChoice, enough_ns: float) -> Optimum | None:
    """The best heads and columns, or a proof that none is under ``enough_ns``; else None where none fit."""
    architecture, num = problem.architecture, len(ring.order)
    tiles = ring_tiles(ring_plan(problem, ring), problem.load.num_tokens)
    seats = seats_of(problem, ring.order, Strategy.HYBRID, tiles, ring.wire)
    totals = np.array([architecture.num_kv_heads, architecture.ffn_size], dtype=np.float64)
    own = [_own_work(architecture, seat, place) for place, seat in enumerate(seats)]
    split_ns = _evenly_late_ns(own, totals)
    if split_ns >= enough_ns:
        return Optimum(least_ns=split_ns, best_ns=inf)
    cuts = _Cuts(seats, totals)
    for place, (base, attention, mlp) in enumerate(own):  # no device is done before it has done its own
        slopes = np.zeros(2 * num)
        slopes[place], slopes[num + place] = attention, mlp
        cuts.add(base, slopes)
    shares = balanced(seats, architecture.num_kv_heads, architecture.ffn_size)
    begin = None if shares is None else np.array([*shares.heads, *shares.columns], dtype=np.float64)
    lines: SlopedRing | None = None
    is_whole, least, best = False, 0.0, inf
    for _ in range(_MOST_CUTS):
        found = cuts.least(is_whole=is_whole)
        if found is None:
            return None
        least = max(least, found[0])
        if least >= min(enough_ns, best * _SAME):
            break
        lines = lines or SlopedRing(problem, ring_plan(problem, ring))
        place_at, is_best = (found[1], is_whole) if begin is None else (begin, True)
        begin = None
        moment = lines.latency(place_at)
        if is_best:
            best = min(best, moment.value)
        is_whole = is_whole or (not is_best and moment.value * _SAME <= least)
        cuts.add(moment.value - float(moment.slopes @ place_at), moment.slopes)
    return Optimum(least_ns=least, best_ns=float(best))


def _own_work(architecture: TransformerArchitecture, seat: Seat, place: int) -> tuple[float, float, float]:
    """What a device does until the answer is there: without, and for each head and column [ns]."""
    layers = architecture.num_layers
    mlps = needed_mlps(architecture) if place else layers
    base = layers * seat.attention.base + mlps * seat.mlp.base
    return base, layers * seat.attention.each, mlps * seat.mlp.each


def _evenly_late_ns(own: Sequence[tuple[float, float, float]], totals: Slopes) -> float:
    """No heads and columns, whole or not, let the last of all devices end before this.

    Each has at least one of both. The latest is no earlier than any mean of all; weights by the inverse of
    what each device would take for everything give nearly the greatest (a dual of the linear programme, so
    that most rings need none to be solved).
    """
    base, attention, mlp = np.array(own).T
    heads, columns = totals - len(own)
    weights = 1.0 / np.maximum(heads * attention + columns * mlp, _LEAST_NS)
    weights /= weights.sum()
    means = weights @ (base + attention + mlp)
    return float(means + heads * (weights * attention).min() + columns * (weights * mlp).min())


class _Cuts:
    """Whole heads and columns under which all cuts are least."""

    def __init__(self, seats: Sequence[Seat], totals: Slopes) -> None:
        num = len(seats)
        sums = np.zeros((2, 2 * num + 1))
        sums[0, :num] = sums[1, num : 2 * num] = 1
        memory = np.zeros((num, 2 * num + 1))
        for place, seat in enumerate(seats):
            memory[place, place] = seat.need.per_head_bytes / _MB
            memory[place, num + place] = seat.need.per_column_bytes / _MB
        room = np.array([(seat.budget_bytes - seat.need.base_bytes - 1) / _MB for seat in seats])
        self._num = num
        self._limits = [LinearConstraint(sums, totals, totals), LinearConstraint(memory, -np.inf, room)]
        self._slopes: list[Slopes] = []
        self._bases: list[float] = []

    def add(self, base: float, slopes: Slopes) -> None:
        """Nothing is below ``base + slopes . sizes`` [ns]."""
        self._slopes.append(np.array([*slopes / _MS, -1.0]))
        self._bases.append(base / _MS)

    def least(self, *, is_whole: bool) -> tuple[float, Slopes] | None:
        """The least under all cuts [ns], and the sizes that have it; None where none fit.

        Sizes need not be whole at first: what such ones do not reach, whole ones do not, and it takes a
        tenth of the time to know.
        """
        found = milp(
            c=np.array([0.0] * 2 * self._num + [1.0]),
            integrality=np.array([int(is_whole)] * 2 * self._num + [0]),
            bounds=Bounds(np.array([1.0] * 2 * self._num + [0.0]), np.inf),
            constraints=[
                *self._limits,
                LinearConstraint(np.array(self._slopes), -np.inf, -np.array(self._bases)),
            ],
            options={"mip_rel_gap": 1e-4},
        )
        if found.x is None:
            return None
        sizes = found.x[: 2 * self._num]
        if is_whole:
            return float(found.mip_dual_bound) * _MS, np.round(sizes)
        return float(found.fun) * _MS, np.asarray(sizes)
