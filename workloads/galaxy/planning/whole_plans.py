"""The best plans in which devices do not share weights: one device, stages, or rows; arithmetic only."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations
from math import inf

from workloads.galaxy.forecasting.plain_schedules import whole_layer_ns
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.memory import whole_bytes
from workloads.galaxy.plan import DevicePart, ParallelPlan, Strategy, whole_share
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.ring_order import ring_orders
from workloads.galaxy.planning.shared_plans import Found
from workloads.galaxy.planning.subsets import MANY, subsets_of
from workloads.galaxy.profile import NS_PER_S
from workloads.galaxy.wire_format import WireFormat, wire_bytes
from workloads.transformer.split import Span

_MOST_PERMUTED = 4
_ROW_TILES = (8, 16, 4, 2, 1)
"""In which own rows go through a layer: keys and values of one travel while others are worked on."""
_LEAST_TILE_ROWS = 4
_NEAR_OF_MANY = 1.15
"""Times what was found: of more than ``MANY`` devices, rings whose first tiles take longer are left."""
_UNEVEN_ROWS = 0.9
"""Of what a device's rows would take if all saw as many: the first rows of a decoder see few."""
_Search = Callable[[PlanProblem, WireFormat, float], Found | None]


def best_local(problem: PlanProblem, limit_ns: float = inf) -> Found | None:
    """The fastest device that holds all; None where none is under the limit."""
    layers = Span(0, problem.architecture.num_layers)
    plans = [_plan(problem, Strategy.LOCAL, (device,), (layers,)) for device in _devices(problem)]
    return _fastest(problem, plans, limit_ns)


def best_pipeline(problem: PlanProblem, limit_ns: float = inf) -> Found | None:
    """Stages on several devices: the fastest get all that they hold. None where none is under the limit."""
    return _best_wire(_best_stages, problem, limit_ns)


def best_sequence(problem: PlanProblem, limit_ns: float = inf) -> Found | None:
    """Rows shared by devices that all hold the whole model; None where not under the limit.

    Nothing is generated so: keys and values would have to go around for every token.
    """
    return None if problem.load.num_new_tokens else _best_wire(_best_rows, problem, limit_ns)


def _best_wire(search: _Search, problem: PlanProblem, limit_ns: float) -> Found | None:
    best: Found | None = None
    for wire in problem.wires:
        best = search(problem, wire, limit_ns if best is None else best.latency_ns) or best
    return best


def _best_stages(problem: PlanProblem, wire: WireFormat, limit_ns: float) -> Found | None:
    num_layers = problem.architecture.num_layers
    stages = [_stage(problem, device, wire) for device in _devices(problem)]
    best: Found | None = None
    for devices in subsets_of(_devices(problem), num_layers, (_by_time(stages), _by_room(problem))):
        if min(stages[device].layer_ns for device in devices) * num_layers >= limit_ns:
            continue
        for order in _stage_orders(problem, devices):
            latest = limit_ns if best is None else best.latency_ns
            counts = _filled(num_layers, [stages[device] for device in order])
            if counts is None or latest <= sum(
                count * stages[device].layer_ns for count, device in zip(counts, order, strict=True)
            ):
                continue
            plan = _plan(problem, Strategy.PIPELINE, order, _spans(counts), wire=wire)
            best = _fastest(problem, [plan], latest) or best
    return best


def _best_rows(problem: PlanProblem, wire: WireFormat, limit_ns: float) -> Found | None:
    layers, is_many = Span(0, problem.architecture.num_layers), len(_devices(problem)) > MANY
    best: Found | None = None
    # Many devices take long to play, but not where a good plan of fewer is known.
    found = sorted(_rows_shared(problem, wire), key=lambda one: (len(one.order) > MANY, one.least_ns))
    for shared in found:
        latest = limit_ns if best is None else min(limit_ns, best.latency_ns)
        if shared.least_ns >= latest:
            continue
        order = shared.order
        plan = _plan(problem, Strategy.SEQUENCE, order, (layers,) * len(order), shared.weights, wire)
        tiled = [replace(plan, num_tiles=count) for count in _row_tiles(problem, len(order))]
        if is_many:
            first = _fastest(problem, tiled[:1], _NEAR_OF_MANY * latest)
            if first is None:
                continue
            if first.latency_ns < latest:
                best, latest = first, first.latency_ns
        best = _fastest(problem, tiled[is_many:], latest) or best
    return best


def _row_tiles(problem: PlanProblem, num_devices: int) -> Sequence[int]:
    if problem.num_tiles:
        return (problem.num_tiles,)
    most = problem.load.num_tokens // (num_devices * _LEAST_TILE_ROWS)
    return [count for count in _ROW_TILES if count <= max(most, 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowsShared:
    """Devices in an order, with weights of rows."""

    least_ns: float
    """What the busiest device or link does in all layers."""
    order: tuple[int, ...]
    weights: Sequence[float]


def _rows_shared(problem: PlanProblem, wire: WireFormat) -> Iterator[_RowsShared]:
    """By speed, and where keys and values go one way, by links too."""
    layers = Span(0, problem.architecture.num_layers)
    needed = whole_bytes(problem.architecture, layers, 1, problem.load, wire)
    able = [device for device in _devices(problem) if problem.budget_bytes(device) >= needed]
    speeds = {device: 1.0 / _layer_ns(problem, device) for device in able}
    most = max(problem.load.num_tokens, 2)
    for devices in subsets_of(able, most, (lambda device: -speeds[device],)):
        order = ring_orders(problem.cluster, devices, _row_bytes(problem) / len(devices))[0]
        trials = [(order, [speeds[device] for device in order])]
        if problem.architecture.is_decoder:
            fastest = order.index(max(order, key=speeds.__getitem__))
            for ring in dict.fromkeys((order, order[fastest + 1 :] + order[: fastest + 1])):
                weights = _one_way_rows(problem, ring, speeds, wire)
                if min(weights) > 0 and (ring, weights) not in trials:
                    trials.append((ring, weights))
        for ring, weights in trials:
            least = len(layers) * _least_layer_ns(problem, ring, weights, speeds, wire)
            yield _RowsShared(least_ns=least, order=ring, weights=weights)


def _least_layer_ns(
    problem: PlanProblem,
    ring: tuple[int, ...],
    weights: Sequence[float],
    speeds: Mapping[int, float],
    wire: WireFormat,
) -> float:
    """What the busiest device or link does in a layer at least, where each share may lack a row."""
    total, row = sum(weights), 1.0 / problem.load.num_tokens
    busy = [(weight / total - row) / speeds[device] for device, weight in zip(ring, weights, strict=True)]
    before = 0.0
    for place, (sender, receiver) in enumerate(pairwise((*ring, ring[0]))):
        before += weights[place] / total
        carried = 1.0 - weights[(place + 1) % len(ring)] / total
        if problem.architecture.is_decoder:
            carried = before if place < len(ring) - 1 else 0.0
        busy.append((carried - len(ring) * row) * _keys_values_ns(problem, sender, receiver, wire))
    return max(0.0, *busy) * _UNEVEN_ROWS


def _keys_values_ns(problem: PlanProblem, sender: int, receiver: int, wire: WireFormat) -> float:
    """How long those of all rows in a layer keep a link busy."""
    load, size = problem.load, 2 * problem.architecture.kv_size
    num_bytes = wire_bytes(wire, load.num_tokens, size, load.itemsize)
    return num_bytes / problem.cluster.links[sender][receiver].rate * NS_PER_S


def _one_way_rows(
    problem: PlanProblem, ring: tuple[int, ...], speeds: Mapping[int, float], wire: WireFormat
) -> list[float]:
    """Weights of rows with which the busiest device or link is done first; 0 where links carry none of them.

    A link carries keys and values of all rows up to its sender's. In a unit of time these can be as many as
    any link from there on carries, and no more than those before and what the sender computes.
    """
    times = [_keys_values_ns(problem, sender, receiver, wire) for sender, receiver in pairwise(ring)]
    carried = [1.0 / time if time else inf for time in times]
    most = [min(carried[place:]) for place in range(len(carried))] + [inf]
    done = [0.0]
    for device, limit in zip(ring, most, strict=True):
        done.append(min(done[-1] + speeds[device], limit))
    return [after - before for before, after in pairwise(done)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """A device as a stage of a pipeline."""

    layer_ns: float
    most: dict[tuple[bool, bool], int]
    """Layers that it holds with or without the embedding, and the head."""


def most_layers(
    problem: PlanProblem,
    device: int,
    *,
    is_first: bool,
    is_last: bool,
    wire: WireFormat = WireFormat.EXACT,
) -> int:
    """How many layers a device holds as one of several stages, with the embedding or the head."""
    num, load = problem.architecture.num_layers, problem.load
    begin = 0 if is_first else num - 1 if is_last else 1
    one = whole_bytes(problem.architecture, Span(begin, begin + 1), load.num_tokens, load, wire)
    left = problem.budget_bytes(device) - one
    if left < 0 or num < 3:
        return num - 1 if left >= 0 else 0
    first, two = (
        whole_bytes(problem.architecture, Span(0, end), load.num_tokens, load, wire) for end in (1, 2)
    )
    return min(num - 1, 1 + left // (two - first))


def _devices(problem: PlanProblem) -> range:
    return range(len(problem.cluster.devices))


def _plan(
    problem: PlanProblem,
    strategy: Strategy,
    order: Sequence[int],
    layers: Sequence[Span],
    weights: Sequence[float] | None = None,
    wire: WireFormat = WireFormat.EXACT,
) -> ParallelPlan:
    share = whole_share(problem.architecture)
    parts = tuple(
        DevicePart(device=device, share=share, layers=span, row_weight=weight)
        for device, span, weight in zip(order, layers, weights or [1.0] * len(order), strict=True)
    )
    return ParallelPlan(strategy=strategy, parts=parts, wire=wire)


def _fastest(problem: PlanProblem, plans: Sequence[ParallelPlan], limit_ns: float) -> Found | None:
    """The fastest that fits; None where none is under the limit."""
    best: Found | None = None
    for plan in plans:
        latest = limit_ns if best is None else best.latency_ns
        foreseen = problem.forecast(plan, latest)
        if foreseen.latency_ns < latest and problem.fits(foreseen, plan):
            best = Found(plan=plan, latency_ns=foreseen.latency_ns)
    return best


def _layer_ns(problem: PlanProblem, device: int) -> float:
    """One layer with all that is asked of it."""
    load, share = problem.load, whole_share(problem.architecture)
    work = WorkTimes.of(problem.architecture, problem.cluster.devices[device], share, load.itemsize)
    token = 0.0
    if load.num_new_tokens:
        token = whole_layer_ns(work, 1, load.num_tokens + (load.num_new_tokens + 1) // 2)
    return whole_layer_ns(work, load.num_tokens, load.num_tokens) + load.num_new_tokens * token


def _row_bytes(problem: PlanProblem) -> float:
    return problem.load.num_tokens * problem.architecture.hidden_size * problem.load.itemsize


def _stage(problem: PlanProblem, device: int, wire: WireFormat) -> _Stage:
    ends = ((False, False), (True, False), (False, True))
    return _Stage(
        layer_ns=_layer_ns(problem, device),
        most={
            (is_first, is_last): most_layers(problem, device, is_first=is_first, is_last=is_last, wire=wire)
            for is_first, is_last in ends
        },
    )


def _by_time(stages: Sequence[_Stage]) -> Callable[[int], float]:
    return lambda device: stages[device].layer_ns


def _by_room(problem: PlanProblem) -> Callable[[int], float]:
    return lambda device: -problem.budget_bytes(device)


def _stage_orders(problem: PlanProblem, devices: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """All orders of few devices; of more, those of a good ring, wherever it begins."""
    if len(devices) <= _MOST_PERMUTED:
        yield from permutations(devices)
        return
    ring = ring_orders(problem.cluster, devices, _row_bytes(problem))[0]
    for begin in range(len(ring)):
        yield (*ring[begin:], *ring[:begin])


def _filled(num_layers: int, stages: Sequence[_Stage]) -> list[int] | None:
    """Layers of each stage: one for each, and the rest to the fastest that has room."""
    last = len(stages) - 1
    most = [stage.most[place == 0, place == last] for place, stage in enumerate(stages)]
    if min(most) < 1 or sum(most) < num_layers or len(stages) > num_layers:
        return None
    counts = [1] * len(stages)
    for place in sorted(range(len(stages)), key=lambda one: stages[one].layer_ns):
        counts[place] += min(most[place] - 1, num_layers - sum(counts))
    return counts


def _spans(counts: Sequence[int]) -> list[Span]:
    ends = [sum(counts[: place + 1]) for place in range(len(counts))]
    return [Span(end - count, end) for end, count in zip(ends, counts, strict=True)]
