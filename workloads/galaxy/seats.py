"""How the time and memory of a device grow with its heads and columns; arithmetic only."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from workloads.galaxy.balance import Line, Seat
from workloads.galaxy.memory import shared_need
from workloads.galaxy.plan import Strategy
from workloads.galaxy.plan_problem import PlanProblem
from workloads.galaxy.ring_work import tile_pairs
from workloads.galaxy.wire_format import WireFormat
from workloads.galaxy.work_times import WorkTimes
from workloads.transformer.split import Span

Tiles = tuple[tuple[Span, ...], ...]


def seats_of(
    problem: PlanProblem, devices: Sequence[int], strategy: Strategy, tiles: Tiles, wire: WireFormat
) -> tuple[Seat, ...]:
    """What each device would be at the place of a ring whose rows are cut into these tiles."""
    num_rows, is_causal = problem.load.num_tokens, problem.architecture.is_decoder
    spans = [tile for own in tiles for tile in own]
    if strategy is Strategy.HYBRID:
        pairs = sum(tile_pairs(tile, num_rows, is_causal=is_causal) for tile in spans)
    else:
        pairs = num_rows * (num_rows + 1) // 2 if is_causal else num_rows * num_rows
    work = _Work(strategy=strategy, wire=wire, pairs=pairs, sizes=tuple(Counter(map(len, spans)).items()))
    seats = []
    for place, device in enumerate(devices):
        own = num_rows if strategy is Strategy.TENSOR else sum(map(len, tiles[place]))
        key = (work, device, own)
        if key not in problem.known_seats:
            problem.known_seats[key] = _seat(problem, device, work, own)
        seats.append(problem.known_seats[key])
    return tuple(seats)


@dataclass(frozen=True, slots=True)
class _Work:
    """What all devices of a ring have in common."""

    strategy: Strategy
    wire: WireFormat
    pairs: int
    """Of a query and a key."""
    sizes: tuple[tuple[int, int], ...]
    """Rows of a tile, and how many tiles have so many."""


def _seat(problem: PlanProblem, device: int, work: _Work, own_rows: int) -> Seat:
    one, two = (_works(problem, device, size) for size in (1, 2))
    behind = one.connective_ns(own_rows)
    largest = max(rows for rows, _ in work.sizes)
    return Seat(
        attention=_line(_attention(problem, one, work) + behind, _attention(problem, two, work) + behind),
        mlp=_line(_mlp(problem, one, work) + behind, _mlp(problem, two, work) + behind),
        need=shared_need(problem.architecture, work.strategy, problem.load, work.wire, largest),
        budget_bytes=problem.budget_bytes(device),
    )


def _works(problem: PlanProblem, device: int, size: int) -> WorkTimes:
    return WorkTimes(
        architecture=problem.architecture,
        device=problem.cluster.devices[device],
        num_kv_heads=size,
        num_columns=size,
        num_words=1,
        itemsize=problem.load.itemsize,
    )


def _line(one: float, two: float) -> Line:
    return Line(base=one - (two - one), each=two - one)


def _attention(problem: PlanProblem, times: WorkTimes, work: _Work) -> float:
    """One layer of the prompt, and as often as there are new tokens one of each."""
    load = problem.load
    prompt = sum(num * (times.entry_ns(rows) + times.output_ns(rows)) for rows, num in work.sizes)
    prompt += times.attention_ns(work.pairs)
    if not load.num_new_tokens:
        return prompt
    seen = load.num_tokens + (load.num_new_tokens + 1) // 2
    token = times.entry_ns(1) + times.attention_ns(seen) + times.output_ns(1)
    return prompt + load.num_new_tokens * token


def _mlp(problem: PlanProblem, times: WorkTimes, work: _Work) -> float:
    prompt = sum(num * times.mlp_ns(rows) for rows, num in work.sizes)
    num_new = problem.load.num_new_tokens
    return prompt + (num_new * times.mlp_ns(1) if num_new else 0.0)
