"""Which points share one allocation of a scheduler."""

import heapq
import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from saih.domain.batch import Batch
from saih.domain.errors import UsageError
from saih.domain.number_formats import precisions_met
from saih.domain.point import Placement, Point, Timing
from saih.domain.site import Site
from saih.domain.sweep import DroppedPoint
from saih.planner.duration import KnownCeilings, generating_s, predict, preparing_s, starting_s
from saih.planner.plan import Plan, PlannedPoint

SAFETY = 1.5
"""How many times longer than predicted a batch may take before its time limit ends it."""
SPARE_S = 300.0
"""Added to the time limit where the partition has room for it: nodes and file systems can be slow."""
_NO_CEILINGS: KnownCeilings = MappingProxyType({})


def within_time(plan: Plan, site: Site, ceilings: KnownCeilings = _NO_CEILINGS) -> Plan:
    """The plan without the points that no job of the site has time for; they are dropped, with the reason."""
    room = _most_s(site)
    fitting, dropped = [], list(plan.dropped)
    for planned in plan.points:
        needed = _alone_s(_single(planned, ceilings))
        if needed <= room:
            fitting.append(planned)
        else:
            reason = "it " + "; ".join(_too_long(planned.point.timing, needed, site))
            dropped.append(DroppedPoint(point=planned.point, labels=planned.labels, reason=reason))
    return replace(plan, points=tuple(fitting), dropped=tuple(dropped))


def pack(
    planned: Sequence[PlannedPoint],
    site: Site,
    ceilings: KnownCeilings = _NO_CEILINGS,
    *,
    first_number: int = 1,
    more_s: float = 0.0,
) -> tuple[Batch, ...]:
    """As few batches as take every point once, the longest batch first.

    Points that differ in ranks only stay together, unless they alone are too long for one job; with
    ``site.packing`` as ``placement`` a batch has points of one placement only. A single batch makes the
    data sets too, and its prediction says so; several find them made by a job before them. Every point
    takes ``more_s`` beyond its measuring.

    Raises:
        UsageError: for a point that no job of the site has time for (see ``within_time``).
    """
    singles = [_single(one, ceilings, more_s) for one in planned]
    _require_time(singles, site)
    units = _units(singles, site, ceilings)
    bins = [
        one for group in _groups(units, site).values() for one in _fill(group, ceilings, capacity_s(site))
    ]
    if len(bins) == 1:
        # It makes the data sets itself, on all its ranks.
        bins[0].predicted_s += generating_s(planned, max(one.num_ranks for one in bins[0].placements))
    place = {one.point.point_id: index for index, one in enumerate(planned)}
    for one in bins:
        one.points.sort(key=lambda member: place[member.point.point_id])
    bins.sort(key=lambda one: (-one.predicted_s, place[one.points[0].point.point_id]))
    return tuple(one.batch(number, site) for number, one in enumerate(bins, start=first_number))


def capacity_s(site: Site) -> float:
    """Predicted seconds that one job takes at most."""
    return _most_s(site) / SAFETY


def time_limit_s(predicted_s: float, site: Site) -> float:
    """The time to ask for, in whole minutes: predicted with headroom, as far as the partition allows."""
    wanted = predicted_s * SAFETY + SPARE_S + site.notice_s
    return min(site.max_time_s, 60.0 * math.ceil(wanted / 60.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unit:
    """Points that stay together."""

    points: tuple[PlannedPoint, ...]
    measuring_s: float

    @property
    def placements(self) -> tuple[Placement, ...]:
        return tuple(dict.fromkeys(one.point.placement for one in self.points))

    @property
    def nodes(self) -> int:
        return max(one.point.placement.nodes for one in self.points)


@dataclass(slots=True, kw_only=True)
class _Bin:
    """A batch while it is filled."""

    points: list[PlannedPoint] = field(default_factory=list)
    placements: set[Placement] = field(default_factory=set)
    predicted_s: float = 0.0

    def with_s(self, unit: _Unit, ceilings: KnownCeilings) -> float:
        """How long it would take with ``unit``, whose new placements have to be prepared [s]."""
        new = [placement for placement in unit.placements if placement not in self.placements]
        precisions = precisions_met(one.point for one in unit.points)
        prepared = sum(preparing_s(one, ceilings.get(one.seats_label), precisions) for one in new)
        return self.predicted_s + unit.measuring_s + prepared

    def take(self, unit: _Unit, predicted_s: float) -> None:
        self.points += unit.points
        self.placements.update(unit.placements)
        self.predicted_s = predicted_s

    def batch(self, number: int, site: Site) -> Batch:
        return Batch(
            number=number,
            points=tuple(one.point for one in self.points),
            nodes=max(placement.nodes for placement in self.placements),
            predicted_s=self.predicted_s,
            time_limit_s=time_limit_s(self.predicted_s, site),
        )


def _single(planned: PlannedPoint, ceilings: KnownCeilings, more_s: float = 0.0) -> _Unit:
    point = planned.point
    return _Unit(
        points=(planned,),
        measuring_s=predict(point, planned.cost, ceilings.get(point.placement.seats_label)) + more_s,
    )


def _units(singles: Sequence[_Unit], site: Site, ceilings: KnownCeilings) -> list[_Unit]:
    """Scaling lines, cut where one job has no time for the whole; single points for one placement each."""
    if site.packing == "placement":
        return list(singles)
    lines: dict[Hashable, list[_Unit]] = {}
    for single in singles:
        lines.setdefault(_line(single.points[0].point), []).append(single)
    return [unit for line in lines.values() for unit in _cut(line, ceilings, capacity_s(site))]


def _line(point: Point) -> Hashable:
    """The same for points that differ in their ranks, in what these divide, and in what follows from it."""
    seats = point.placement
    return (
        *(point.workload, point.problem, point.precision, point.timing, point.seed),
        *(seats.threads_per_rank, seats.device, seats.gpus_per_rank, seats.binding),
    )


def _cut(line: Sequence[_Unit], ceilings: KnownCeilings, room_s: float) -> Iterator[_Unit]:
    part, members = _Bin(), list[_Unit]()
    for single in line:
        if members and part.with_s(single, ceilings) > room_s:
            yield _joined(members)
            part, members = _Bin(), []
        part.take(single, part.with_s(single, ceilings))
        members.append(single)
    yield _joined(members)


def _joined(units: Sequence[_Unit]) -> _Unit:
    return _Unit(
        points=tuple(one for unit in units for one in unit.points),
        measuring_s=sum(unit.measuring_s for unit in units),
    )


def _groups(units: Iterable[_Unit], site: Site) -> dict[Hashable, list[_Unit]]:
    """Units that may share a batch: those for the same nodes, so that no batch holds more than it needs."""
    groups: dict[Hashable, list[_Unit]] = {}
    for unit in units:
        key = unit.placements if site.packing == "placement" else unit.nodes
        groups.setdefault(key, []).append(unit)
    return groups


def _fill(units: Sequence[_Unit], ceilings: KnownCeilings, room_s: float) -> list[_Bin]:
    """Longest unit first, each into the emptiest bin, or a new one when even that has no room."""
    bins: list[tuple[float, int, _Bin]] = []
    for unit in sorted(units, key=lambda unit: -unit.measuring_s):
        if bins and (needed := bins[0][2].with_s(unit, ceilings)) <= room_s:
            filled = bins[0][2]
            filled.take(unit, needed)
            heapq.heapreplace(bins, (needed, bins[0][1], filled))
            continue
        opened = _Bin()
        opened.take(unit, opened.with_s(unit, ceilings))
        heapq.heappush(bins, (opened.predicted_s, len(bins), opened))
    return [one for _, _, one in bins]


def _require_time(singles: Iterable[_Unit], site: Site) -> None:
    for single in singles:
        if (needed := _alone_s(single)) > _most_s(site):
            (one,) = single.points
            problem, remedy = _too_long(one.point.timing, needed, site)
            raise UsageError(f"the point {', '.join(one.labels.values())} {problem}", remedy)


def _alone_s(single: _Unit) -> float:
    """Seconds of a job that does nothing but one point, when jobs before it prepared everything."""
    return starting_s(single.placements[0]) + single.measuring_s


def _most_s(site: Site) -> float:
    """Seconds of one job until it is told to stop."""
    return site.max_time_s - site.notice_s


def _too_long(timing: Timing, needed_s: float, site: Site) -> tuple[str, str]:
    problem = (
        f"takes about {needed_s / 60:.3g} minutes; a job on {site.name} has {_most_s(site) / 60:.3g} "
        f"(max_time_h {site.max_time_s / 3600:g}, less notice_s {site.notice_s:g})"
    )
    remedy = (
        f"lower timing.budget_s ({timing.budget_s:g}), timing.min_steps ({timing.min_steps}) or the "
        "problem, or take a partition with longer jobs."
    )
    return problem, remedy
