"""How long one pass through a model takes, for each kind of parallelism; arithmetic only."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from workloads.galaxy.forecasting.hybrid_schedule import attention_half, hybrid_layer, mlp_half
from workloads.galaxy.forecasting.plain_schedules import (
    direct_layer,
    pipeline_ns,
    stages_ns,
    tensor_layer,
)
from workloads.galaxy.forecasting.ring_clock import RingClock, Tiles
from workloads.galaxy.forecasting.ring_work import RingWork, ring_tiles, ring_work, tile_pairs
from workloads.galaxy.forecasting.sequence_schedule import sequence_pass, sequence_work
from workloads.galaxy.forecasting.work_times import WorkTimes
from workloads.galaxy.plan import ParallelPlan, Strategy
from workloads.galaxy.profile import NS_PER_S, ClusterProfile, LinkProfile
from workloads.galaxy.wire_format import wire_bytes
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.split import Span

_TOLD_BYTES = 16
"""Of one sequence: the greatest logit of a part of the vocabulary, and where it is."""
_SERIAL = (Strategy.LOCAL, Strategy.PIPELINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTimes:
    """One pass."""

    latency_ns: float
    compute_ns: tuple[float, ...]
    """Of each part: how long it computes."""
    link_ns: tuple[float, ...]
    """Of the link from each part to the next: how long it sends."""
    bound_ns: float
    """No schedule of these parts is faster: the busiest device with whole products, or the busiest link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTimes:
    """A plan on its devices and links."""

    architecture: TransformerArchitecture
    plan: ParallelPlan
    works: tuple[WorkTimes, ...]
    """Of each part, in the order of the ring."""
    links: tuple[tuple[LinkProfile, ...], ...]
    """From each part to each other, in the order of the ring."""
    limit_ns: float = inf
    """What cannot be done before is not played to its end: its latency is too early, but not before this."""

    @staticmethod
    def of(
        architecture: TransformerArchitecture,
        plan: ParallelPlan,
        cluster: ClusterProfile,
        itemsize: int,
        limit_ns: float = inf,
    ) -> "PlanTimes":
        """Those of the plan's devices in a cluster."""
        return PlanTimes(
            architecture=architecture,
            plan=plan,
            limit_ns=limit_ns,
            works=tuple(
                WorkTimes.of(architecture, cluster.devices[part.device], part.share, itemsize, plan.wire)
                for part in plan.parts
            ),
            links=tuple(
                tuple(cluster.links[sender][receiver] for receiver in plan.devices) for sender in plan.devices
            ),
        )

    @property
    def ring(self) -> tuple[LinkProfile, ...]:
        """The link from each part to the next."""
        return tuple(row[(place + 1) % len(row)] for place, row in enumerate(self.links))

    def passed(self, num_rows: int, num_keys: int, *, gives_logits: bool = True) -> PassTimes:
        """One pass of so many rows, the last of which sees ``num_keys`` tokens, until the answer is there.

        That is the logits of the last row, or only the token that they predict; of an encoder, its first row.
        """
        told = [self._told_bytes(place) if gives_logits else _TOLD_BYTES for place in range(len(self.works))]
        strategy = self.plan.strategy
        if strategy in _SERIAL or len(self.works) == 1:
            return _serial_pass(self, (num_rows, num_keys), told[-1])
        clock = RingClock(self.ring, self.limit_ns)
        if strategy is Strategy.SEQUENCE:
            return _sequence_pass(self, clock, num_rows, told)
        for place, work in enumerate(self.works):
            clock.work(place, work.embedding_ns(num_rows) + work.norm_ns(num_rows))
        if num_rows <= self.plan.direct_rows:
            layer = direct_layer(clock, self.works, self.links, (num_rows, num_keys))
            return _all_rows_pass(self, clock, clock.repeated(layer, *self.begun), told)
        if strategy is Strategy.TENSOR:
            layer = tensor_layer(clock, self.works, num_rows, num_keys)
            return _all_rows_pass(self, clock, clock.repeated(layer, *self.begun), told)
        return _hybrid_pass(self, clock, num_rows, told)

    @property
    def begun(self) -> tuple[Tiles[float], int]:
        """Rows that are there at once, and the layers before them."""
        return [[0.0] for _ in self.works], self.architecture.num_layers

    def _told_bytes(self, place: int) -> int:
        """Logits of a part of the vocabulary."""
        work = self.works[place]
        return work.num_words * work.itemsize if self.architecture.is_decoder else 0


def _hybrid_pass(times: PlanTimes, clock: RingClock, num_rows: int, told: Sequence[int]) -> PassTimes:
    tiles = ring_tiles(times.plan, num_rows)
    work = ring_work(times.works, tiles)
    # All devices embed all tokens: nothing is gathered before the first half.
    there: Tiles[float] = [[0.0] * len(spans) for spans in tiles]
    num = len(tiles)
    arrivals = [[there[(place - step) % num] for place in range(num)] for step in range(num)]
    ready = mlp_half(clock, work, attention_half(clock, work, arrivals))
    ready = clock.repeated(
        lambda now: hybrid_layer(clock, work, now), ready, times.architecture.num_layers - 1
    )
    last = max(place for place, spans in enumerate(tiles) if spans)
    if not times.architecture.is_decoder:
        last = 0  # of an encoder, the state of its first row is wanted
    return PassTimes(
        latency_ns=_answered(times, clock, (last, ready[last][-1]), told),
        compute_ns=tuple(clock.busy_ns),
        link_ns=tuple(clock.link_busy_ns),
        bound_ns=max(_least_computing(times, tiles, num_rows), _least_sending(times, work)),
    )


def _all_rows_pass(
    times: PlanTimes, clock: RingClock, ready: Tiles[float], sizes: Sequence[int]
) -> PassTimes:
    heads = [work.head_ns(1) for work in times.works]
    told = [row[0].time_ns(size) for row, size in zip(times.links, sizes, strict=True)]
    told[0] = 0.0
    ends = [own[-1] + head + tell for own, head, tell in zip(ready, heads, told, strict=True)]
    return PassTimes(
        latency_ns=max(ends) if times.architecture.is_decoder else ready[0][-1],
        compute_ns=tuple(clock.busy_ns),
        link_ns=tuple(clock.link_busy_ns),
        bound_ns=max(*clock.busy_ns, *clock.link_busy_ns),
    )


def _sequence_pass(times: PlanTimes, clock: RingClock, num_rows: int, told: Sequence[int]) -> PassTimes:
    rows = times.plan.row_spans(num_rows)
    for place, (work, own) in enumerate(zip(times.works, rows, strict=True)):
        clock.work(place, work.embedding_ns(len(own)) + work.norm_ns(len(own)))
    course = sequence_work(times.works, ring_tiles(times.plan, num_rows))
    ready = sequence_pass(clock, course, times.architecture.num_layers)
    # Who has the last row, of an encoder the first, makes the answer; the first device gives it when done.
    last = max(place for place, span in enumerate(rows) if len(span)) if times.architecture.is_decoder else 0
    made = clock.work(last, times.works[last].head_ns(1))
    there = made + (times.links[last][0].time_ns(told[last]) if last else 0.0)
    # What others do of the last layer behind keys and values, the answer does not need.
    needed = [
        busy - (0.0 if place in (0, last) else sum(course.behind[place]))
        for place, busy in enumerate(clock.busy_ns)
    ]
    return PassTimes(
        latency_ns=max(there, *ready[0], 0.0),
        compute_ns=tuple(clock.busy_ns),
        link_ns=tuple(clock.link_busy_ns),
        bound_ns=max(*needed, *clock.link_busy_ns),
    )


def _serial_pass(times: PlanTimes, rows: tuple[int, int], told_bytes: int) -> PassTimes:
    works, parts = times.works, times.plan.parts
    num_rows = rows[0]
    begin = works[0].embedding_ns(num_rows) + works[0].norm_ns(num_rows)
    layers = [len(part.layers) for part in parts]
    compute = stages_ns(works, layers, rows)
    compute[0] += begin
    compute[-1] += works[-1].head_ns(1)
    ring = times.ring[: len(works) - 1]
    size = wire_bytes(works[0].wire, num_rows, times.architecture.hidden_size, works[0].itemsize)
    back = times.links[-1][0].time_ns(told_bytes) if len(works) > 1 else 0.0
    latency = begin + pipeline_ns(works, layers, ring, rows) + works[-1].head_ns(1) + back
    sent = [link.busy_ns(size) for link in ring]
    return PassTimes(latency_ns=latency, compute_ns=tuple(compute), link_ns=(*sent, 0.0), bound_ns=latency)


def _answered(times: PlanTimes, clock: RingClock, last: tuple[int, float], told: Sequence[int]) -> float:
    """When the first part has the answer; ``last``: which has the last row, and when."""
    owner, ready = last
    if not times.architecture.is_decoder:
        clock.wait(owner, ready)
        return clock.work(owner, 0.0)  # own rows are the last that a device works on
    size = times.architecture.hidden_size * times.works[0].itemsize
    ends = []
    for place, work in enumerate(times.works):
        clock.wait(place, ready if place == owner else ready + times.links[owner][place].time_ns(size))
        end = clock.work(place, work.head_ns(1))
        ends.append(end if place == 0 else end + times.links[place][0].time_ns(told[place]))
    return max(ends)


def _least_computing(times: PlanTimes, tiles: tuple[tuple[Span, ...], ...], num_rows: int) -> float:
    """The busiest device, if its products were whole."""
    is_causal, layers = times.architecture.is_decoder, times.architecture.num_layers
    pairs = sum(tile_pairs(tile, num_rows, is_causal=is_causal) for spans in tiles for tile in spans)
    rows = [sum(len(tile) for tile in own) for own in tiles]
    busiest = 0.0
    for place, work in enumerate(times.works):
        behind = 2 * work.connective_ns(rows[place])
        attention = work.entry_ns(num_rows) + work.attention_ns(pairs) + work.output_ns(num_rows)
        busy = layers * (attention + work.mlp_ns(num_rows) + behind)
        if place and not is_causal:
            # The answer of an encoder is in the first rows: of others, it needs their part of these.
            busy -= work.mlp_ns(num_rows) + behind - work.mlp_ns(rows[0])
        busiest = max(busiest, busy)
    return busiest


def _least_sending(times: PlanTimes, work: RingWork[float]) -> float:
    """The busiest link, if it never waited and a message took nothing besides its bytes."""
    sizes = [sum(tiles) for tiles in work.num_bytes]
    num, layers = len(sizes), times.architecture.num_layers
    busy = []
    for place, link in enumerate(times.ring):
        behind = (place + 1) % num
        gathered, summed = sum(sizes) - sizes[behind], sum(sizes) - sizes[place]
        last = (gathered, summed)
        if not work.is_causal:
            # The answer of an encoder is in rows of the first place, which gathers all rows of others.
            last = (sum(sizes[: place + 1]) - (0 if behind else sizes[0]), sizes[0] if place else 0)
        sent = (2 * layers - 2) * gathered + (2 * layers - 1) * summed + sum(last)
        busy.append(sent / link.rate * NS_PER_S)
    return max(busy)
