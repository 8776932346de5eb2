"""What putting verdicts to the test costs: pairs of windows and time, before anything is started."""

from collections.abc import Sequence

from saih.commands.progress import clock
from saih.domain.point import Point
from saih.domain.quantity import counted
from saih.domain.verification import VerifyPlan
from saih.planner.duration import starting_s
from saih.planner.plan import Plan


def verify_cost(plan: VerifyPlan, sweep: Plan) -> str:
    """One sentence for all points of a sweep."""
    points = [planned.point for planned in sweep.points]
    most = max((num_pairs(plan, point) for point in points), default=0)
    return (
        f"verify: {counted(len(points), 'point')} x up to {most} pairs "
        f"of windows of {plan.window_s:g} s: about {clock(verify_s(plan, points))}"
    )


def point_cost_s(plan: VerifyPlan, point: Point) -> float:
    """About how long the windows of one point take [s]."""
    return plan.duration_s(point.meeting)


def num_pairs(plan: VerifyPlan, point: Point) -> int:
    """Pairs of windows at one point."""
    return plan.num_pairs_of(point.meeting)


def verify_s(plan: VerifyPlan, points: Sequence[Point]) -> float:
    """About how long all of it takes, one point after the other, with one start for each placement [s]."""
    starts = sum(starting_s(placement) for placement in {point.placement for point in points})
    return starts + sum(point_cost_s(plan, point) for point in points)
