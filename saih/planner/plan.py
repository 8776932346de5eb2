"""A plan: the points of a sweep with their costs, and the reason for each one dropped. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from augment.ladder import climb
from augment.problem import Problem, ProblemError
from saih.domain.errors import UsageError
from saih.domain.limits import Limits
from saih.domain.point import Placement, Point
from saih.domain.sweep import MAX_POINTS, DroppedPoint, Sweep
from saih.planner.execution import executed, execution_notes, execution_refusal, with_search
from saih.planner.limits import Claims, Refusal, has_room, parked_on_disk
from saih.planner.savings import ways_to_fit
from saih.planner.seats import Seats, seats_of
from saih.planner.supplying import supplied, supply_notes, supply_refusal
from saih.planner.walk import Station, held_note, stations
from workloads.catalog import workload
from workloads.execution import Execution
from workloads.protocol import Cost, Degrees, Workload
from workloads.tunable import Tunable


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPoint:
    """A point that will run."""

    point: Point
    cost: Cost
    labels: Mapping[str, str]
    """Axis -> rung label; ``ranks`` too on a ranks axis, ``placement`` where the sweep lists several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a sweep will run, in growing order, and what it will not."""

    points: tuple[PlannedPoint, ...]
    dropped: tuple[DroppedPoint, ...]
    notes: tuple[str, ...]
    """What the plan changed or a user should know, one sentence each."""

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Where its points run, each placement once."""
        return tuple(dict.fromkeys(planned.point.placement for planned in self.points))

    @property
    def data_bytes(self) -> int:
        """Storage of all data sets of the points that will run, uncompressed."""
        sizes = {planned.point.problem.data: planned.cost.dataset_bytes for planned in self.points}
        return sum(sizes.values())

    @property
    def disk_bytes(self) -> int:
        """The most that they take on disk, with what they are made from."""
        costs = {planned.point.problem.data: planned.cost for planned in self.points}
        return sum(cost.dataset_disk_bytes or cost.dataset_bytes for cost in costs.values())

    @property
    def parked_bytes(self) -> int:
        """Storage that layers take on the disk of the data folder while the point runs that parks most."""
        return max((parked_on_disk(one.point, one.cost) for one in self.points), default=0)

    @property
    def flops_of_one_step(self) -> int:
        """Floating-point operations of one step of every point, over all its ranks."""
        return sum(planned.cost.flops * planned.point.placement.num_ranks for planned in self.points)

    @property
    def most_measuring_s(self) -> float:
        """Longest time of all measured steps together; warm-up and start come on top."""
        return sum(planned.point.timing.budget_s for planned in self.points)

    @property
    def most_node_hours(self) -> float:
        """Longest use of nodes by all measured steps together."""
        seconds = (p.point.timing.budget_s * p.point.placement.nodes for p in self.points)
        return sum(seconds) / 3600


def make_plan(sweep: Sweep, limits: Limits) -> Plan:
    """The points of ``sweep`` that fit ``limits``, each once, and why the others do not.

    Raises:
        ProblemError: for an unknown workload.
        UsageError: for more points than anybody could run, or a walk whose base cannot be built.
    """
    application = workload(sweep.workload)
    _check_count(sweep)
    planned: dict[str, PlannedPoint] = {}
    dropped: dict[str, DroppedPoint] = {}
    num_repeated = 0
    judge = _Judge(application=application, claims=Claims(limits=limits))
    deviations: list[float] = []
    for station, execution in _executed(sweep, application):
        point = _point(sweep, station, execution)
        point_id = point.point_id
        if point_id in planned or point_id in dropped:
            num_repeated += 1
            continue
        judged = judge.judge(point, station.seats)
        if isinstance(judged, PlannedPoint):
            planned[point_id] = judged
            deviations.append(station.deviation)
        else:
            dropped[point_id] = judged
    return Plan(
        points=tuple(planned.values()),
        dropped=tuple(dropped.values()),
        notes=tuple(_notes(sweep, num_repeated, deviations)),
    )


def cost_on(point: Point, application: Workload) -> Cost:
    """Analytic cost of one step of a point on one rank.

    Raises:
        ProblemError: for a problem that cannot be built, or divided as its placement asks.
    """
    if isinstance(application, Tunable):
        return application.cost(
            point.problem,
            batch_per_rank=point.batch_per_rank,
            precision=point.asked_precision,
            degrees=point.placement.degrees,
            execution=point.execution,
        )
    return application.cost(
        point.problem,
        batch_per_rank=point.batch_per_rank,
        precision=point.precision,
        degrees=point.placement.degrees,
    )


def labels(point: Point, application: Workload) -> Mapping[str, str]:
    """Axis -> rung label of a point."""
    return {axis.name: application.describe(point.problem, axis.name) for axis in application.axes}


def _check_count(sweep: Sweep) -> None:
    """The product is counted before it is expanded."""
    num_placements = len(sweep.rank_ladder.ranks) if sweep.rank_ladder else len(sweep.placements)
    num_runs = num_placements * len(sweep.executions)
    count = math.prod(len(ladder.rungs) for ladder in sweep.ladders) * num_runs
    if count > MAX_POINTS:
        raise UsageError(
            f"the sweep {sweep.name} has {count} points; at most {MAX_POINTS} are planned",
            "make the ladders shorter, or several sweeps.",
        )


def _stations(sweep: Sweep, application: Workload) -> Iterator[Station]:
    problems = climb(sweep.base, sweep.ladders)
    for seats in seats_of(sweep):
        if sweep.walk is not None:
            yield from stations(sweep, application, seats)
        else:
            yield from (Station(problem=problem, seats=seats) for problem in problems)


def _executed(sweep: Sweep, application: Workload) -> Iterator[tuple[Station, Execution]]:
    """Executions of one problem follow each other, so that what changes meanwhile is the same for all."""
    for station in _stations(sweep, application):
        for execution, seats in executed(sweep, station.seats):
            yield replace(station, seats=seats), execution


def _point(sweep: Sweep, station: Station, execution: Execution) -> Point:
    return Point(
        workload=sweep.workload,
        problem=station.problem,
        batch_per_rank=station.seats.batch_per_rank,
        precision=sweep.precision,
        exchange=station.seats.exchange,
        placement=station.seats.placement,
        timing=sweep.timing,
        seed=sweep.seed,
        supply=sweep.supply,
        execution=execution,
    )


_Asked = tuple[Problem, int, str, Degrees, Execution]
"""What decides the cost of a point."""


@dataclass(slots=True, kw_only=True)
class _Judge:
    """Gives candidates their costs; what many placements share is computed once."""

    application: Workload
    claims: Claims
    known: dict[_Asked, tuple[Cost, Mapping[str, str]] | ProblemError] = field(default_factory=dict)

    def judge(self, point: Point, seats: Seats) -> PlannedPoint | DroppedPoint:
        """The point with its cost, or with what is wrong or too large about it."""
        found = self._described(point)
        if isinstance(found, ProblemError):
            given = {**_as_given(point), **seats.labels}
            return DroppedPoint(point=point, labels=given, reason=str(found))
        cost, described = found
        named = {**described, **seats.labels}
        reason = (
            seats.refusal
            or supply_refusal(cost, point.supply, point.workload)
            or execution_refusal(point, self.application)
        )
        cost = supplied(with_search(cost, point), point.supply)
        refused = Refusal(reason=reason) if reason else self.claims.refusal(point, cost)
        if refused is not None:
            return DroppedPoint(
                point=point,
                labels=named,
                reason=f"{refused.reason}{self._ways(point, cost, refused)}",
                tensor_bytes=cost.tensor_bytes(point.placement.device),
                shortage=refused.shortage,
            )
        return PlannedPoint(point=point, cost=cost, labels=named)

    def _ways(self, point: Point, cost: Cost, refused: Refusal) -> str:
        """What would let a point fit whose step has not enough memory."""
        limits = self.claims.limits
        if refused.shortage is None or has_room(point.placement, cost, limits):
            return ""
        return ways_to_fit(point, self.application, limits, partial(cost_on, application=self.application))

    def _described(self, point: Point) -> tuple[Cost, Mapping[str, str]] | ProblemError:
        degrees = point.placement.degrees
        key = (point.problem, point.batch_per_rank, point.precision, degrees, point.execution)
        if key not in self.known:
            try:
                self.application.check(point.problem)
                cost = cost_on(point, self.application)
                self.known[key] = cost, labels(point, self.application)
            except ProblemError as error:
                self.known[key] = error
        return self.known[key]


def _as_given(point: Point) -> Mapping[str, str]:
    """The sizes of a problem that the workload cannot describe."""
    shapes = {"data": point.problem.data, "model": point.problem.model}
    return {
        axis: ", ".join(f"{name} {value}" for name, value in shape.items()) for axis, shape in shapes.items()
    }


def _notes(sweep: Sweep, num_repeated: int, deviations: Sequence[float]) -> Iterator[str]:
    if sweep.walk is not None:
        yield held_note(sweep.walk, deviations)
    yield from supply_notes(sweep.supply)
    yield from execution_notes(sweep)
    if workload(sweep.workload).activity.has_gradients:
        yield from _exchange_notes(sweep)
    if num_repeated:
        times = "1 point comes" if num_repeated == 1 else f"{num_repeated} points come"
        yield f"{times} twice in the sweep; each is measured once."


def _exchange_notes(sweep: Sweep) -> Iterator[str]:
    seats = tuple(seats_of(sweep))
    alone = [one.placement.label for one in seats if one.placement.num_ranks == 1]
    if sweep.exchange != "none" and alone:
        yield f"exchange {sweep.exchange} becomes none on {', '.join(alone)}: one rank shares with nobody."
    if sweep.rank_ladder is not None and sweep.rank_ladder.scaling == "throughput":
        yield "throughput scaling: every rank trains a replica of its own, and they exchange nothing."
    elif sweep.exchange == "none" and len(alone) < len(seats):
        yield "exchange is none: the ranks train side by side and share no gradients."
