"""The best plans in which given devices share heads and columns; arithmetic only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf

from workloads.galaxy.balance import Seat, Shares, balanced, beside_full, has_room, leaning, made_up
from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy, shares_of, whole_share
from workloads.galaxy.plan_bounds import least_ns, needed_halves, needed_mlps
from workloads.galaxy.plan_problem import PlanProblem
from workloads.galaxy.profile import NS_PER_S
from workloads.galaxy.ring_order import MOST_ORDERED, ring_orders
from workloads.galaxy.ring_work import ring_tiles
from workloads.galaxy.seats import Tiles, seats_of
from workloads.galaxy.subsets import MANY, row_weights
from workloads.galaxy.wire_format import WireFormat, wire_bytes
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span

_TILES = (2, 4, 1, 8, 3, 6, 12, 16)
"""Numbers of tiles of each device's rows, the likely ones first."""
_TILES_OF_MANY = (2, 1, 4, 8, 16)
"""Each of more than ``MANY`` devices has few rows."""
_ENOUGH = 1.005
"""Of the least that any plan of some devices can take."""
_WORTH_OF_MANY = 1.02
"""By how much a plan of more than ``MANY`` must beat what was found to be looked for."""
_NEAR_OF_MANY = 1.25
"""Times what was found: a ring of more than ``MANY`` whose first number of tiles takes longer is left."""
_MOST_TURNED = 2
"""Of the orders of four devices, that are also begun with each other device."""
_MOST_TILES = 4096
"""Of all devices' tiles on all devices: a forecast takes about a microsecond for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A plan and how long it is foreseen to take."""

    plan: ParallelPlan
    latency_ns: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ring:
    """Devices in an order, with rows and a wire format."""

    strategy: Strategy
    order: tuple[int, ...]
    weights: tuple[float, ...]
    wire: WireFormat


def best_shared(problem: PlanProblem, devices: Sequence[int], limit_ns: float = inf) -> Found | None:
    """The fastest plan by which all of these devices share layers; None where none is under the limit.

    The limit only spares work: which plan is found does not depend on it. But where one takes hardly longer
    than any plan of these devices must, none is looked for behind it. Of more than ``MANY`` devices, what is
    found may be slower than the fastest by some percent, and must beat the limit by 2 %.
    """
    best: Found | None = None
    enough_ns = _ENOUGH * least_ns(problem, devices)
    for ring in _rings(problem, devices):
        best = _best_tiles(problem, ring, limit_ns if best is None else best.latency_ns, enough_ns) or best
        if best is not None and best.latency_ns <= enough_ns:
            break
    return best


def _best_tiles(problem: PlanProblem, ring: _Ring, limit_ns: float, enough_ns: float) -> Found | None:
    """The fastest numbers of tiles and shares of a ring; None where none is under the limit."""
    is_many = len(ring.order) > MANY
    limit_ns, near = (limit_ns / _WORTH_OF_MANY, _NEAR_OF_MANY) if is_many else (limit_ns, 1.0)
    best: Found | None = None
    for num_tiles in _tile_counts(problem, ring):
        latest = limit_ns if best is None else min(limit_ns, best.latency_ns)
        if _sending_ns(problem, ring) >= latest or (best is not None and best.latency_ns <= enough_ns):
            break
        look = _with_tiles(problem, ring, num_tiles, latest * near)
        if is_many and best is None and look.is_late:
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
            look = _with_tiles(problem, ring, num_tiles, inf if best is None else best.latency_ns)
            best = look.found or best
            if look.found is not None or look.is_late:
                break
    return best


def _rings(problem: PlanProblem, devices: Sequence[int]) -> Iterator[_Ring]:
    load, hidden = problem.load, problem.architecture.hidden_size
    for wire in problem.wires:
        chunk = wire_bytes(wire, load.num_tokens, hidden, load.itemsize) / len(devices)
        for order in _orders(problem, devices, chunk):
            links = [
                problem.cluster.links[sender][order[(place + 1) % len(order)]]
                for place, sender in enumerate(order)
            ]
            even = _Ring(strategy=Strategy.TENSOR, order=order, weights=(1.0,) * len(order), wire=wire)
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


def _tile_counts(problem: PlanProblem, ring: _Ring) -> Sequence[int]:
    """Numbers of tiles to try."""
    num = len(ring.order)
    most = min(problem.load.num_tokens // num, _MOST_TILES // num**2)
    if ring.strategy is Strategy.TENSOR:
        return (1,)
    if problem.num_tiles:
        return (problem.num_tiles,)
    if most < 2:
        return (1,)
    return [count for count in (_TILES if num <= MANY else _TILES_OF_MANY) if count <= most]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What a ring gives with so many tiles."""

    found: Found | None
    is_late: bool
    """Whether nothing was found because what may fit is not under the limit."""


def _with_tiles(problem: PlanProblem, ring: _Ring, num_tiles: int, limit_ns: float) -> _Look:
    tiles = _tiles(problem, _skeleton(problem, ring, num_tiles))
    seats = seats_of(problem, ring.order, ring.strategy, tiles, ring.wire)
    best, is_late = None, False
    for shares in _shares(problem.architecture, ring.strategy, seats):
        latest = limit_ns if best is None else best.latency_ns
        if _busiest_ns(problem.architecture, seats, shares) >= latest:
            is_late = True
            continue
        plan = _skeleton(problem, ring, num_tiles, shares)
        foreseen = problem.forecast(plan, latest)
        if foreseen.latency_ns >= latest:
            is_late = True
        elif problem.fits(foreseen, plan):
            best = Found(plan=plan, latency_ns=foreseen.latency_ns)
    return _Look(found=best, is_late=is_late and best is None)


def _shares(
    architecture: TransformerArchitecture, strategy: Strategy, seats: Sequence[Seat]
) -> Iterator[Shares]:
    """Shares to try: halves levelled each by itself; of few devices whose halves overlap, others near it."""
    shares = balanced(seats, architecture.num_kv_heads, architecture.ffn_size)
    if shares is None:
        return
    yield shares
    if strategy is not Strategy.HYBRID or len(seats) > MOST_ORDERED:
        return
    together = made_up(seats, architecture.num_kv_heads, architecture.ffn_size)
    if together is not None:
        yield together
    yield from leaning(seats, shares)
    if len(seats) == 2 and not has_room(seats, architecture.num_kv_heads, architecture.ffn_size):
        yield from beside_full(seats, shares, architecture.ffn_size)


def _busiest_ns(architecture: TransformerArchitecture, seats: Sequence[Seat], shares: Shares) -> float:
    """What the busiest device has done when the answer is there."""
    layers, mlps = architecture.num_layers, needed_mlps(architecture)
    each = enumerate(zip(seats, shares.heads, shares.columns, strict=True))
    return max(
        layers * seat.attention.at(heads) + (mlps if place else layers) * seat.mlp.at(columns)
        for place, (seat, heads, columns) in each
    )


def _tiles(problem: PlanProblem, plan: ParallelPlan) -> Tiles:
    num_rows = problem.load.num_tokens
    if plan.strategy is Strategy.TENSOR:
        return ((Span(0, num_rows),), *((),) * (len(plan.parts) - 1))
    return ring_tiles(plan, num_rows)


def _skeleton(
    problem: PlanProblem, ring: _Ring, num_tiles: int, shares: Shares | None = None
) -> ParallelPlan:
    """A plan; without shares, one that knows rows and tiles only."""
    architecture = problem.architecture
    if shares is None:
        parts = (whole_share(architecture),) * len(ring.order)
    else:
        parts = shares_of(architecture, shares.heads, shares.columns)
    return ParallelPlan(
        strategy=ring.strategy,
        parts=tuple(
            DevicePart(device=device, share=share, layers=Span(0, architecture.num_layers), row_weight=weight)
            for device, share, weight in zip(ring.order, parts, ring.weights, strict=True)
        ),
        num_tiles=num_tiles,
        wire=ring.wire,
    )


def _sending_ns(problem: PlanProblem, ring: _Ring) -> float:
    """The busiest link of a ring with these rows, if it never waited."""
    load, halves = problem.load, needed_halves(problem.architecture)
    size = wire_bytes(ring.wire, load.num_tokens, problem.architecture.hidden_size, load.itemsize)
    parts = [weight / sum(ring.weights) for weight in ring.weights]
    busy = []
    for place, device in enumerate(ring.order):
        behind = (place + 1) % len(ring.order)
        link = problem.cluster.links[device][ring.order[behind]]
        busy.append((2.0 - parts[place] - parts[behind]) * size / link.rate)
    # Whole rows may differ from the parts by one each.
    return halves * max(busy) * NS_PER_S * (1 - 2 / max(load.num_tokens, 3))
