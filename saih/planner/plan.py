"""A plan: the points of a sweep with their costs, and the reason for each one dropped. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from augment.ladder import climb
from augment.problem import Problem, ProblemError
from saih.domain.errors import UsageError
from saih.domain.limits import Limits
from saih.domain.point import Placement, Point
from saih.domain.sweep import MAX_POINTS, DroppedPoint, Sweep
from saih.planner.limits import Claims
from workloads.catalog import workload
from workloads.protocol import Cost, Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPoint:
    """A point that will run."""

    point: Point
    cost: Cost
    labels: Mapping[str, str]
    """Axis -> rung label; ``placement`` too where the sweep has several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a sweep will run, in growing order, and what it will not."""

    points: tuple[PlannedPoint, ...]
    dropped: tuple[DroppedPoint, ...]
    notes: tuple[str, ...]
    """What the plan changed or a user should know, one sentence each."""

    @property
    def data_bytes(self) -> int:
        """Storage of all data sets of the points that will run, uncompressed."""
        sizes = {planned.point.problem.data: planned.cost.dataset_bytes for planned in self.points}
        return sum(sizes.values())

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
        UsageError: for more points than anybody could run.
    """
    application = workload(sweep.workload)
    _check_count(sweep)
    planned: dict[str, PlannedPoint] = {}
    dropped: dict[str, DroppedPoint] = {}
    num_repeated = 0
    claims = Claims(limits=limits)
    for point in _points(sweep):
        if point.point_id in planned or point.point_id in dropped:
            num_repeated += 1
            continue
        judged = _judge(point, application, claims, has_many_placements=len(sweep.placements) > 1)
        if isinstance(judged, PlannedPoint):
            planned[point.point_id] = judged
        else:
            dropped[point.point_id] = judged
    return Plan(
        points=tuple(planned.values()),
        dropped=tuple(dropped.values()),
        notes=tuple(_notes(sweep, num_repeated)),
    )


def labels(point: Point, application: Workload) -> Mapping[str, str]:
    """Axis -> rung label of a point."""
    return {axis.name: application.describe(point.problem, axis.name) for axis in application.axes}


def _check_count(sweep: Sweep) -> None:
    """The product is counted before it is expanded."""
    count = math.prod(len(ladder.rungs) for ladder in sweep.ladders) * len(sweep.placements)
    if count > MAX_POINTS:
        raise UsageError(
            f"the sweep {sweep.name} has {count} points; at most {MAX_POINTS} are planned",
            "make the ladders shorter, or several sweeps.",
        )


def _points(sweep: Sweep) -> Iterator[Point]:
    for placement in sweep.placements:
        for problem in climb(sweep.base, sweep.ladders):
            yield _point(sweep, problem, placement)


def _point(sweep: Sweep, problem: Problem, placement: Placement) -> Point:
    return Point(
        workload=sweep.workload,
        problem=problem,
        batch_per_rank=sweep.batch_per_rank,
        precision=sweep.precision,
        exchange=sweep.exchange if placement.num_ranks > 1 else "none",
        placement=placement,
        timing=sweep.timing,
        seed=sweep.seed,
    )


def _judge(
    point: Point, application: Workload, claims: Claims, *, has_many_placements: bool
) -> PlannedPoint | DroppedPoint:
    """The point with its cost, or with what is wrong or too large about it."""
    placed = {"placement": point.placement.label} if has_many_placements else {}
    try:
        application.check(point.problem)
        cost = application.cost(point.problem, batch_per_rank=point.batch_per_rank, precision=point.precision)
    except ProblemError as error:
        return DroppedPoint(point=point, labels={**_as_given(point), **placed}, reason=str(error))
    named = {**labels(point, application), **placed}
    reason = claims.refusal(point, cost)
    if reason is not None:
        return DroppedPoint(point=point, labels=named, reason=reason)
    return PlannedPoint(point=point, cost=cost, labels=named)


def _as_given(point: Point) -> Mapping[str, str]:
    """The sizes of a problem that the workload cannot describe."""
    shapes = {"data": point.problem.data, "model": point.problem.model}
    return {
        axis: ", ".join(f"{name} {value}" for name, value in shape.items()) for axis, shape in shapes.items()
    }


def _notes(sweep: Sweep, num_repeated: int) -> Iterator[str]:
    alone = [placement.label for placement in sweep.placements if placement.num_ranks == 1]
    if sweep.exchange != "none" and alone:
        yield f"exchange {sweep.exchange} becomes none on {', '.join(alone)}: one rank shares with nobody."
    if sweep.exchange == "none" and len(alone) < len(sweep.placements):
        yield "exchange is none: the ranks train side by side and share no gradients."
    if num_repeated:
        times = "1 point comes" if num_repeated == 1 else f"{num_repeated} points come"
        yield f"{times} twice in the sweep; each is measured once."
