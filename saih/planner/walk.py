"""The stations of a sweep's walk: problems and seats that change together, and how well each holds.

A walk begins at the base: what it holds is what the base problem has on the seats of the first station.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from augment.compound import CompoundWalk
from augment.iso import Found, IsoWalk, Quantity, nearest
from augment.problem import Problem, ProblemError, Shape, Value
from saih.domain.errors import UsageError
from saih.domain.point import Placement
from saih.domain.quantity import percent
from saih.domain.scaling import placed_on, sharing
from saih.domain.sweep import BATCH, RANKS, SHARING, Sweep, Walk
from saih.planner.seats import Seats
from workloads.growing import GrowingWorkload
from workloads.protocol import Workload

_MOST_BATCH = 2**20
_WORDS: Mapping[Quantity, str] = {
    "flops": "the FLOP of a step of all ranks",
    "memory": "the memory of one rank",
    "bytes": "the bytes of the data set",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """One problem on some seats; seats of a station that cannot be say why."""

    problem: Problem
    seats: Seats
    deviation: float = 0.0
    """Of what is held from what it is at the base, relative."""


def stations(sweep: Sweep, application: Workload, seats: Seats) -> Iterator[Station]:
    """The stations of the walk of ``sweep`` on ``seats``, in its order.

    Raises:
        UsageError: for a workload whose sizes cannot follow from each other, or a base that cannot be built.
    """
    if not isinstance(application, GrowingWorkload):
        raise UsageError(
            f"sizes of {application.name} cannot follow from a cost", "use axes of data and model instead."
        )
    try:
        application.check(sweep.base)
    except ProblemError as error:
        raise UsageError(f"the base of the walk cannot be built: {error}", "correct base.") from error
    if isinstance(sweep.walk, IsoWalk):
        yield from _Iso(sweep=sweep, walk=sweep.walk, application=application, known=application).go(seats)
    elif sweep.walk is not None:
        yield from _compound(sweep, sweep.walk, application, seats)


def held_note(walk: Walk, deviations: Sequence[float]) -> str:
    """How well the stations that are planned hold what is asked for."""
    worst = percent(max((abs(deviation) for deviation in deviations), default=0.0))
    if isinstance(walk, IsoWalk):
        return f"iso: {_WORDS[walk.hold]} within {worst} of the base's at every point; {walk.free} follows."
    return f"compound: the FLOP of a sample are within {worst} of 2^phi times the base's."


def _compound(
    sweep: Sweep, walk: CompoundWalk, application: GrowingWorkload, seats: Seats
) -> Iterator[Station]:
    base = application.sample_flops(sweep.base)
    for phi in walk.phis:
        problem = application.compound(sweep.base, phi)
        wanted = base * 2.0**phi
        yield Station(problem=problem, seats=seats, deviation=application.sample_flops(problem) / wanted - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a quantity is asked for."""

    problem: Problem
    seats: Seats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Iso:
    """Goes one walk."""

    sweep: Sweep
    walk: IsoWalk
    application: Workload
    known: GrowingWorkload

    def go(self, seats: Seats) -> Iterator[Station]:
        changing = {self.walk.free, *(name for rung in self.walk.rungs for name in rung)}
        problem = self.known.settled(self.sweep.base, changing)
        base = _Place(problem=problem, seats=self._first(seats))
        target = self._quantity(base)
        for rung in self.walk.rungs:
            yield self._station(rung, base, target)

    def _first(self, seats: Seats) -> Seats:
        """The seats that the walk begins on."""
        if RANKS in self.walk.rungs[0]:
            return self._seated(seats, RANKS, self.walk.rungs[0][RANKS])
        return self._seated(seats, RANKS, self._rank_choices(seats)[0]) if self.walk.free == RANKS else seats

    def _station(self, rung: Shape, base: _Place, target: float) -> Station:
        place = base
        try:
            for name, value in rung.items():
                place = self._with(place, name, value)
            found = self._found(place, base, target)
            place = self._with(place, self.walk.free, found.size)
        except (ProblemError, UsageError) as error:
            return Station(problem=place.problem, seats=replace(place.seats, refusal=str(error)))
        if abs(found.deviation) <= self.walk.tolerance:
            return Station(problem=place.problem, seats=place.seats, deviation=found.deviation)
        return Station(
            problem=place.problem, seats=replace(place.seats, refusal=self._missed(found)), deviation=0.0
        )

    def _found(self, place: _Place, base: _Place, target: float) -> Found:
        free = self.walk.free
        if free == RANKS:
            choices: Sequence[int] = self._rank_choices(base.seats)
        elif free == SHARING:
            choices = self._sharing_choices(place)
        else:
            choices = range(1, _MOST_BATCH + 1) if free == BATCH else self._choices(place)

        def quantity(size: int) -> float:
            return self._quantity(self._with(place, free, size))

        if len(choices) > 1 and quantity(choices[0]) == quantity(choices[1]):
            raise ProblemError(
                f"no {free} changes {_WORDS[self.walk.hold]}; let another size follow (axes.iso.free)."
            )
        return nearest(target, quantity, choices)

    def _choices(self, place: _Place) -> Sequence[int]:
        """Values of the free size; the base's own is one of them, whatever the application prefers."""
        free, problem = self.walk.free, self.sweep.base
        choices = self.known.choices(free, place.problem)
        own = {**problem.data, **problem.model}.get(free)
        return choices if not isinstance(own, int) or own in choices else sorted([*choices, own])

    def _with(self, place: _Place, name: str, value: Value) -> _Place:
        """``place`` with one size changed."""
        if name in (RANKS, BATCH, SHARING):
            return replace(place, seats=self._seated(place.seats, name, value))
        problem = place.problem
        is_data = any(
            name in axis.sizes for axis in self.application.axes if "data" in (axis.name, axis.within)
        )
        if is_data:
            return replace(place, problem=replace(problem, data=problem.data.with_sizes({name: value})))
        return replace(place, problem=replace(problem, model=problem.model.with_sizes({name: value})))

    def _seated(self, seats: Seats, name: str, value: Value) -> Seats:
        count = Shape.of({name: value}).count(name)
        if name == BATCH:
            return replace(seats, batch_per_rank=count, labels={**seats.labels, "batch": f"{count} a rank"})
        if name == SHARING:
            words = f"{count} rank{'' if count == 1 else 's'} a sample"
            placement = sharing(seats.placement, count)
            return replace(seats, placement=placement, labels={**seats.labels, "sharing": words})
        placement = placed_on(self.sweep.placements[0], count)
        words = f"{count} rank{'' if count == 1 else 's'}"
        exchange = self.sweep.exchange if count > 1 else "none"
        return replace(seats, placement=placement, exchange=exchange, labels={**seats.labels, RANKS: words})

    def _sharing_choices(self, place: _Place) -> tuple[int, ...]:
        """Most first: of more ranks that share a sample each needs less."""
        unshared = sharing(place.seats.placement, 1)
        most = math.gcd(unshared.data_parallel, self._most_sharing(place))
        return tuple(count for count in range(most, 0, -1) if most % count == 0)

    def _most_sharing(self, place: _Place) -> int:
        cost = self.application.cost(
            place.problem, batch_per_rank=place.seats.batch_per_rank, precision=self.sweep.precision
        )
        return cost.most_degrees.spatial_parallel

    def _rank_choices(self, seats: Seats) -> tuple[int, ...]:
        """1, 2, 4, ... ranks of one node, then of 1, 2, 4, ... nodes."""
        whole = self.sweep.placements[0]
        inside = {2**power for power in range(whole.ranks_per_node.bit_length())}
        across = {whole.ranks_per_node * 2**power for power in range(whole.nodes.bit_length())}
        unit = seats.placement.degrees.num_ranks
        return tuple(sorted(count for count in inside | across | {whole.num_ranks} if count % unit == 0))

    def _quantity(self, place: _Place) -> float:
        placement: Placement = place.seats.placement
        cost = self.application.cost(
            place.problem,
            batch_per_rank=place.seats.batch_per_rank,
            precision=self.sweep.executions[0].precision or self.sweep.precision,
            degrees=placement.degrees,
        )
        if self.walk.hold == "flops":
            return float(cost.flops * placement.num_ranks)
        return float(cost.peak_memory_bytes if self.walk.hold == "memory" else cost.dataset_bytes)

    def _missed(self, found: Found) -> str:
        return (
            f"{_WORDS[self.walk.hold]} can be held within {percent(abs(found.deviation))} only "
            f"({self.walk.free} {found.size}), and the tolerance is {percent(self.walk.tolerance)}; "
            "let another size follow, or raise axes.iso.tolerance."
        )
