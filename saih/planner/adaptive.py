"""Which point of a grid to measure next. Pure: the same measured points give the same choice.

The start is the corners of the grid and its middle. Then the point whose step is least known for what it
costs is next, until every step is known as well as asked, the budget is spent, or nothing is left to measure.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from saih.domain.adaptive import Asked
from saih.domain.point import Timing
from saih.domain.quantity import percent
from saih.planner.duration import OPENING_S, predict
from saih.planner.plan import PlannedPoint

_STEPS_SHARE = 1.0
"""Full width of the interval of a point over the asked half-width: half as wide as what is asked."""
_WIDEST = 0.5
_FEWEST_STEPS = 6
"""As few as enclose their median at 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """A point that could be measured next."""

    point_id: str
    half_width: float
    """How unsure its step is, as half-width of its 90 % interval in log."""
    node_s: float
    """What measuring it is predicted to take."""
    crossing: str = ""
    """The crossing inside whose interval it lies, in words; empty for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The next point, or the end, and why."""

    point_id: str | None
    reason: str


def relaxed(timing: Timing, precision: float) -> Timing:
    """How long to measure a point of a trend that is to be known so well: no better than helps it."""
    return replace(
        timing,
        relative_width=max(timing.relative_width, min(_STEPS_SHARE * precision, _WIDEST)),
        min_steps=min(timing.min_steps, _FEWEST_STEPS),
    )


def start_design(sizes: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """Points to begin with: the smallest, the largest along each axis alone and along all, and the middle.

    One axis gets a fourth, between the middle and the largest.

    ``sizes`` are those along every swept axis, by point id. Of a corner that the grid lacks the nearest
    point is taken.
    """
    if not sizes:
        return ()
    rungs = [sorted(set(column)) for column in zip(*sizes.values(), strict=True)]
    places = {
        point_id: tuple(rung.index(size) for rung, size in zip(rungs, own, strict=True))
        for point_id, own in sizes.items()
    }
    last = tuple(len(rung) - 1 for rung in rungs)
    wanted = [tuple(0 for _ in last)]
    wanted += [tuple(end if axis == one else 0 for one, end in enumerate(last)) for axis in range(len(last))]
    wanted += [tuple(end // 2 for end in last), last]
    if len(last) == 1:  # one more, that tells whether a law through the other three holds between them
        wanted.append(((last[0] // 2 + last[0]) // 2,))
    nearest = [min(places, key=lambda one: (_distance(places[one], place), one)) for place in wanted]
    return tuple(dict.fromkeys(nearest))


def _distance(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(abs(one - other) for one, other in zip(left, right, strict=True))


def next_round(
    asked: Asked, start: Sequence[str], prospects: Sequence[Prospect], spent_node_s: float
) -> tuple[tuple[str, ...], Choice]:
    """Points to measure before the next look, and why: what is left of the start, or one point."""
    first = choose(asked, start, prospects, spent_node_s)
    chosen, choice, left = [], first, list(prospects)
    while choice.point_id is not None:
        chosen.append(choice.point_id)
        spent_node_s += next(one.node_s for one in left if one.point_id == choice.point_id)
        left = [one for one in left if one.point_id != choice.point_id]
        if not any(one.point_id in start for one in left):
            break
        choice = choose(asked, start, left, spent_node_s)
    return tuple(chosen), first


def expected_node_s(planned: PlannedPoint, step_s: float | None, num_steps: float | None) -> float:
    """Node-seconds of one point, when its steps and how many were needed elsewhere are known."""
    point, timing = planned.point, planned.point.timing
    if step_s is None:
        return predict(point, planned.cost) * point.placement.nodes
    wanted = timing.min_steps if num_steps is None else num_steps
    measured_s = max(timing.min_steps * step_s, min(wanted * step_s, timing.budget_s + step_s))
    return (OPENING_S + timing.warmup_steps * step_s + measured_s) * point.placement.nodes


def choose(asked: Asked, start: Sequence[str], prospects: Sequence[Prospect], spent_node_s: float) -> Choice:
    """The next of the points that are not measured yet.

    Raises:
        ValueError: for a cost that is not above 0.
    """
    if any(prospect.node_s <= 0 for prospect in prospects):
        raise ValueError("a point takes some node-time")
    left = {prospect.point_id: prospect for prospect in prospects}
    first = [left[point_id] for point_id in start if point_id in left]
    unsure = [one for one in prospects if one.half_width > asked.precision or one.crossing]
    if not first and not unsure:
        return _end(asked, prospects)
    begun = _affordable(first, asked, spent_node_s)
    if begun:
        begin = min(begun, key=lambda one: (one.node_s, one.point_id))
        return Choice(point_id=begin.point_id, reason="a corner or the middle of the grid")
    able = _affordable(unsure, asked, spent_node_s)
    if not able:
        return Choice(point_id=None, reason=_too_dear([*first, *unsure], asked, spent_node_s))
    best = max(able, key=lambda one: (_merit(one), one.point_id))
    return Choice(point_id=best.point_id, reason=_why(best))


def _affordable(wanted: Collection[Prospect], asked: Asked, spent_node_s: float) -> list[Prospect]:
    budget = asked.budget_node_s
    return [one for one in wanted if budget is None or spent_node_s + one.node_s <= budget]


def _merit(prospect: Prospect) -> float:
    """Doubt that is removed for each node-second."""
    return prospect.half_width / prospect.node_s


def _why(prospect: Prospect) -> str:
    doubt = f"its step is known within {percent(prospect.half_width)}"
    if prospect.crossing:
        doubt = f"it lies inside the interval of a crossing ({prospect.crossing}); {doubt}"
    return f"{doubt}, the most doubt for its {node_time(prospect.node_s)}"


def _too_dear(wanted: Collection[Prospect], asked: Asked, spent_node_s: float) -> str:
    cheapest = min(prospect.node_s for prospect in wanted)
    budget = node_time(asked.budget_node_s or 0.0)
    return (
        f"the budget is spent: {node_time(spent_node_s)} of {budget}, and the next point would take "
        f"{node_time(cheapest)}"
    )


def _end(asked: Asked, prospects: Sequence[Prospect]) -> Choice:
    if not prospects:
        return Choice(point_id=None, reason="every point of the grid was measured")
    worst = max(prospect.half_width for prospect in prospects)
    reason = f"every step that was not measured is known within {percent(worst)} (90 %)"
    return Choice(point_id=None, reason=f"{reason}, as asked ({percent(asked.precision)})")


def node_time(node_s: float) -> str:
    """Such as ``40 node-s`` or ``1.5 node-hours``."""
    if node_s < 120:
        return f"{node_s:.3g} node-s"
    return f"{node_s / 60:.3g} node-min" if node_s < 7200 else f"{node_s / 3600:.3g} node-hours"
