"""The best plans in which given devices share heads and columns; arithmetic only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.galaxy.planning.balance import Seat, Shares, fit, leaning, levelled, made_up, with_heads
from workloads.galaxy.planning.plan_bounds import least_ns, needed_mlps
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.polish import MOST_GAIN, RingPlan, polished
from workloads.galaxy.planning.ring_choice import RingChoice
from workloads.galaxy.planning.ring_order import MOST_ORDERED, ring_orders
from workloads.galaxy.planning.seats import seats_of
from workloads.galaxy.planning.short_memory import within_memory
from workloads.galaxy.planning.subsets import MANY, MOST_WHOLE, row_weights
from workloads.galaxy.wire_format import wire_bytes
from workloads.transformer.architecture import TransformerArchitecture

_TILES = (2, 4, 1, 8, 3, 6, 12, 16)
"""Numbers of tiles of each device's rows, the likely ones first."""
_TILES_OF_MANY = (2, 1, 4, 8, 16)
"""Of more than ``MOST_WHOLE`` devices out of more than ``MANY``: each has few rows."""
_ENOUGH = 1.005
"""Of the least that any plan of some devices can take."""
_WORTH_OF_MANY = 1.02
"""By how much a plan of more than ``MANY`` must beat what was found to be looked for."""
_NEAR_OF_MANY = 1.25
"""Times what was found: a ring out of more than ``MANY`` whose first number of tiles takes longer is left."""
_MOST_TURNED = 2
"""Of the orders of four devices, that are also begun with each other device."""
_MOST_TILES = 4096
"""Of all devices' tiles on all devices: a forecast takes about a microsecond for each."""
_LEANING, _OTHER_LEANING = 1.25, (1.1, 1.4)
"""Times as slow as they are, for all but the fastest of few devices: at first, and to be polished."""
_MOST_LEANING = 3
"""Devices; more would take too long."""
_MOST_POLISHED = 3
"""Rings of few devices, the fastest, whose plans are polished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A plan and how long it is foreseen to take."""

    plan: ParallelPlan
    latency_ns: float


def best_shared(problem: PlanProblem, devices: Sequence[int], limit_ns: float = inf) -> Found | None:
    """The fastest plan by which all of these devices share layers; None where none is under the limit.

    The limit only spares work: which plan is found does not depend on it. But where one takes hardly longer
    than any plan of these devices must, none is looked for behind it. Plans of up to ``MOST_ORDERED`` devices
    are polished where they come near, if there are no more than ``MANY`` to choose from. Out of more than
    ``MANY``, what is found may be slower than the fastest by some percent; with more than ``MANY`` it must
    beat the limit by 2 %.
    """
    is_polished = len(devices) <= MOST_ORDERED and len(problem.cluster.devices) <= MANY
    near = MOST_GAIN if is_polished else 1.0
    best, found_ns, looks = limit_ns, inf, []
    enough_ns = _ENOUGH * least_ns(problem, devices)
    for ring in _rings(problem, devices):
        look = _best_tiles(problem, ring, best * near, enough_ns)
        if look is not None:
            looks.append(look)
            found_ns = min(found_ns, look.latency_ns)
            best = min(best, found_ns)
            if found_ns <= enough_ns:
                break
    if is_polished and found_ns > enough_ns:
        looks = _polished(problem, looks)
    found = min(looks, key=lambda look: look.latency_ns, default=None)
    if found is None or found.latency_ns >= limit_ns:
        return None
    return Found(plan=found.plan, latency_ns=found.latency_ns)


def _polished(problem: PlanProblem, looks: Sequence[RingPlan]) -> list[RingPlan]:
    """Those that might be the fastest, each as good as it gets."""
    fastest = sorted(looks, key=lambda look: look.latency_ns)
    near_ns = fastest[0].latency_ns * MOST_GAIN if fastest else inf
    rings = [look for look in fastest if look.choice.strategy is Strategy.HYBRID]
    better = [_made_better(problem, look) for look in rings[:_MOST_POLISHED] if look.latency_ns < near_ns]
    return [*better, *fastest]


def _made_better(problem: PlanProblem, look: RingPlan) -> RingPlan:
    choice, seats = look.choice, _seats(problem, look.choice)
    starts = _shares(problem, choice, seats)
    starts += [shares for factor in _OTHER_LEANING for shares in _leaning(problem, seats, factor)]
    fitting = [shares for shares in starts if shares != look.shares]
    return polished(problem, look, fitting, sorted(_tile_counts(problem, choice)))


def _best_tiles(problem: PlanProblem, ring: RingChoice, limit_ns: float, enough_ns: float) -> RingPlan | None:
    """The fastest number of tiles of a ring; None where none is under the limit."""
    is_of_many = len(problem.cluster.devices) > MANY
    near = _NEAR_OF_MANY if is_of_many else 1.0
    limit_ns = limit_ns / _WORTH_OF_MANY if len(ring.order) > MANY else limit_ns
    best: RingPlan | None = None
    for num_tiles in _tile_counts(problem, ring):
        latest = limit_ns if best is None else min(limit_ns, best.latency_ns)
        if ring.sending_ns(problem) >= latest or (best is not None and best.latency_ns <= enough_ns):
            break
        look = _with_tiles(problem, replace(ring, num_tiles=num_tiles), latest * near)
        if is_of_many and best is None and look.is_late:
            break
        if look.found is not None:
            best, near = look.found, 1.0
    return best if best is not None and best.latency_ns < limit_ns else None


def any_shared(problem: PlanProblem, devices: Sequence[int]) -> Found | None:
    """A good plan by which all of these devices share layers, found at once: that of the first ring."""
    best: Found | None = None
    first = {ring.strategy: ring for ring in reversed(list(_rings(problem, devices)))}
    for ring in sorted(first.values(), key=lambda ring: ring.strategy is Strategy.HYBRID):
        for num_tiles in _tile_counts(problem, ring):
            limit_ns = inf if best is None else best.latency_ns
            look = _with_tiles(problem, replace(ring, num_tiles=num_tiles), limit_ns)
            if look.found is not None:
                best = Found(plan=look.found.plan, latency_ns=look.found.latency_ns)
            if look.found is not None or look.is_late:
                break
    return best


def _rings(problem: PlanProblem, devices: Sequence[int]) -> Iterator[RingChoice]:
    load, hidden = problem.load, problem.architecture.hidden_size
    for wire in problem.wires:
        chunk = wire_bytes(wire, load.num_tokens, hidden, load.itemsize) / len(devices)
        for order in _orders(problem, devices, chunk):
            links = [
                problem.cluster.links[sender][order[(place + 1) % len(order)]]
                for place, sender in enumerate(order)
            ]
            even = RingChoice(strategy=Strategy.TENSOR, order=order, weights=(1.0,) * len(order), wire=wire)
            found = [even] if Strategy.TENSOR in problem.strategies else []
            if Strategy.HYBRID in problem.strategies:
                kind = Strategy.HYBRID
                uneven = [replace(even, strategy=kind, weights=weights) for weights in row_weights(links)]
                # Which is faster cannot be told before; of many devices a hybrid plan takes longer to play.
                found = [*found, *uneven] if len(order) > MANY else [*uneven, *found]
            yield from found


def _orders(problem: PlanProblem, devices: Sequence[int], num_bytes: float) -> list[tuple[int, ...]]:
    """Orders around a ring, and who is first: its rows are seen by those behind, and it gives the answer."""
    orders = ring_orders(problem.cluster, devices, num_bytes)
    if not 1 < len(devices) <= MOST_ORDERED:
        return orders
    turned = orders if len(devices) < MOST_ORDERED else orders[:_MOST_TURNED]
    return [*orders, *(order[turn:] + order[:turn] for order in turned for turn in range(1, len(order)))]


def _tile_counts(problem: PlanProblem, ring: RingChoice) -> Sequence[int]:
    """Numbers of tiles to try."""
    num = len(ring.order)
    most = min(problem.load.num_tokens // num, _MOST_TILES // num**2)
    if ring.strategy is Strategy.TENSOR:
        return (1,)
    if problem.num_tiles:
        return (problem.num_tiles,)
    if most < 2:
        return (1,)
    is_few = num <= MOST_WHOLE or len(problem.cluster.devices) <= MANY
    return [count for count in (_TILES if is_few else _TILES_OF_MANY) if count <= most]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What a ring gives with so many tiles."""

    found: RingPlan | None
    is_late: bool
    """Whether nothing was found because what may fit is not under the limit."""


def _with_tiles(problem: PlanProblem, choice: RingChoice, limit_ns: float) -> _Look:
    seats, best, is_late = _seats(problem, choice), None, False
    for shares in _shares(problem, choice, seats):
        latest = limit_ns if best is None else best.latency_ns
        if _busiest_ns(problem.architecture, seats, shares) >= latest:
            is_late = True
            continue
        plan = choice.plan(problem.architecture, shares)
        foreseen = problem.forecast(plan, latest)
        if foreseen.latency_ns >= latest:
            is_late = True
        elif problem.fits(foreseen, plan):
            best = RingPlan(choice=choice, shares=shares, plan=plan, latency_ns=foreseen.latency_ns)
    return _Look(found=best, is_late=is_late and best is None)


def _shares(problem: PlanProblem, choice: RingChoice, seats: Sequence[Seat]) -> list[Shares]:
    """Shares to look at: halves levelled each by itself; of few devices whose halves overlap, others too."""
    shares = _balanced(problem, choice, seats)
    if choice.strategy is not Strategy.HYBRID or len(seats) > MOST_ORDERED:
        return shares
    together = made_up(seats, problem.architecture.num_kv_heads, problem.architecture.ffn_size)
    shares += [] if together is None else [together]
    return shares + (_leaning(problem, seats, _LEANING) if len(seats) <= _MOST_LEANING else [])


def _leaning(problem: PlanProblem, seats: Sequence[Seat], factor: float) -> list[Shares]:
    found = leaning(seats, problem.architecture.num_kv_heads, problem.architecture.ffn_size, factor)
    return [] if found is None else [found]


def _seats(problem: PlanProblem, choice: RingChoice) -> tuple[Seat, ...]:
    return seats_of(problem, choice.order, choice.strategy, choice.tiles(problem), choice.wire)


def _balanced(problem: PlanProblem, choice: RingChoice, seats: Sequence[Seat]) -> list[Shares]:
    """Each half levelled by itself; where memory is short for that, with the same heads in every order."""
    num_heads, num_columns = problem.architecture.num_kv_heads, problem.architecture.ffn_size
    level = levelled(seats, num_heads, num_columns)
    if level is None or fit(seats, level):
        return [] if level is None else [level]
    known = (tuple(heads[device] for device in choice.order) for heads in _known_heads(problem, choice))
    shares = [with_heads(seats, heads, num_columns) for heads in known]
    return [one for one in shares if one is not None] or within_memory(seats, num_heads, num_columns)


def _known_heads(problem: PlanProblem, choice: RingChoice) -> list[dict[int, int]]:
    """Of each device if all have as many rows: orders and rows hardly change them, and they take long."""
    order = tuple(sorted(choice.order))
    plain = replace(choice, order=order, weights=(1.0,) * len(order))
    if plain not in problem.known_heads:
        architecture = problem.architecture
        found = within_memory(_seats(problem, plain), architecture.num_kv_heads, architecture.ffn_size)
        problem.known_heads[plain] = [dict(zip(order, shares.heads, strict=True)) for shares in found]
    return problem.known_heads[plain]


def _busiest_ns(architecture: TransformerArchitecture, seats: Sequence[Seat], shares: Shares) -> float:
    """What the busiest device has done when the answer is there."""
    layers, mlps = architecture.num_layers, needed_mlps(architecture)
    each = enumerate(zip(seats, shares.heads, shares.columns, strict=True))
    return max(
        layers * seat.attention.at(heads) + (mlps if place else layers) * seat.mlp.at(columns)
        for place, (seat, heads, columns) in each
    )
