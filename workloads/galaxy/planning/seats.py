"""How the time and memory of a device grow with its heads and columns; arithmetic only.

What does not grow with them is in the base of each line: connective parts, sums of what others made, reading
and writing rows in another format, and what every tile costs. A slow device has more of it than a fast one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from workloads.galaxy.forecasting.plain_schedules import summed_rows
from workloads.galaxy.forecasting.ring_work import tile_pairs
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.memory import shared_need
from workloads.galaxy.plan import Strategy
from workloads.galaxy.planning.balance import Line, Seat
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.wire_format import WireFormat
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
    work = _Work(
        strategy=strategy,
        wire=wire,
        num_devices=len(devices),
        pairs=pairs,
        sizes=tuple(Counter(map(len, spans)).items()),
    )
    seats = []
    for place, device in enumerate(devices):
        between = _between(strategy, tiles, place, num_rows)
        key = (work, device, between)
        if key not in problem.known_seats:
            problem.known_seats[key] = _seat(problem, device, work, between)
        seats.append(problem.known_seats[key])
    return tuple(seats)


@dataclass(frozen=True, slots=True)
class _Work:
    """What all devices of a ring have in common."""

    strategy: Strategy
    wire: WireFormat
    num_devices: int
    pairs: int
    """Of a query and a key."""
    sizes: tuple[tuple[int, int], ...]
    """Rows of a tile, and how many tiles have so many."""

    @property
    def num_tiles(self) -> int:
        """Each of them attends by itself."""
        return sum(num for _, num in self.sizes)


@dataclass(frozen=True, slots=True)
class _Between:
    """Rows that a device works on between the products of a half."""

    connected: int
    summed: int
    """To which it adds what another device has made."""
    coded: int
    """That it reads or writes in another format, each as often as it does."""


def _between(strategy: Strategy, tiles: Tiles, place: int, num_rows: int) -> _Between | None:
    """None for one row: devices tell each other its parts, as those of a new token."""
    if num_rows == 1:
        return None
    if strategy is Strategy.TENSOR:
        summed, told = summed_rows(num_rows, len(tiles), place)
        return _Between(connected=num_rows, summed=summed, coded=summed + told)
    # The rows before the own ones begin here: nothing is added to them.
    own, begun = (sum(map(len, tiles[one])) for one in (place, place - 1))
    # Of others it reads the entries, and the sums but for those begun here, and writes what it made; of its
    # own it reads the sums and writes the entries.
    coded = 2 * (num_rows - own) + (num_rows - own - begun) + 2 * own
    return _Between(connected=own, summed=num_rows - begun, coded=coded)


def _seat(problem: PlanProblem, device: int, work: _Work, rows: _Between | None) -> Seat:
    one, two = (_works(problem, device, work.wire, size) for size in (1, 2))
    num_direct, cutting = problem.load.num_new_tokens + (rows is None), 0.0
    between = num_direct * one.behind_direct_ns(1, work.num_devices)
    if rows is not None:
        between += one.connective_ns(rows.connected) + one.sum_ns(rows.summed) + one.coding_ns(rows.coded)
        if work.strategy is Strategy.HYBRID:
            cutting = work.num_tiles * one.tile_ns()
    largest = max(size for size, _ in work.sizes)
    return Seat(
        # A tile enters an attention and leaves it, but goes through an MLP at once.
        attention=_line(
            between + 2 * cutting, _attention(problem, one, work), _attention(problem, two, work)
        ),
        mlp=_line(between + cutting, _mlp(problem, one, work), _mlp(problem, two, work)),
        need=shared_need(problem.architecture, work.strategy, problem.load, work.wire, largest),
        budget_bytes=problem.budget_bytes(device),
    )


def _works(problem: PlanProblem, device: int, wire: WireFormat, size: int) -> WorkTimes:
    """A device with so many heads and columns; it keeps the products that it was asked for."""
    key = (device, wire, size)
    if key not in problem.known_works:
        problem.known_works[key] = WorkTimes(
            architecture=problem.architecture,
            device=problem.cluster.devices[device],
            num_kv_heads=size,
            num_columns=size,
            num_words=1,
            itemsize=problem.load.itemsize,
            wire=wire,
        )
    return problem.known_works[key]


def _line(fixed: float, one: float, two: float) -> Line:
    return Line(base=fixed + one - (two - one), each=two - one)


def _attention(problem: PlanProblem, times: WorkTimes, work: _Work) -> float:
    """One layer of the prompt, and as often as there are new tokens one of each."""
    load = problem.load
    prompt = sum(num * (times.entry_ns(rows) + times.output_ns(rows)) for rows, num in work.sizes)
    prompt += times.attention_ns(work.pairs) + (work.num_tiles - 1) * times.device.call_ns
    if not load.num_new_tokens:
        return prompt
    seen = load.num_tokens + (load.num_new_tokens + 1) // 2
    token = times.entry_ns(1) + times.attention_ns(seen) + times.output_ns(1)
    return prompt + load.num_new_tokens * token


def _mlp(problem: PlanProblem, times: WorkTimes, work: _Work) -> float:
    prompt = sum(num * times.mlp_ns(rows) for rows, num in work.sizes)
    num_new = problem.load.num_new_tokens
    return prompt + (num_new * times.mlp_ns(1) if num_new else 0.0)
