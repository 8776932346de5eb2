from dataclasses import replace

import pytest

from tests.workloads.galaxy.plan_samples import cluster, device, small
from workloads.galaxy.memory import Load, memory_bytes
from workloads.galaxy.plan import Strategy
from workloads.galaxy.planning.balance import Shares
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.polish import MOST_GAIN, RingPlan, polished
from workloads.galaxy.planning.ring_choice import RingChoice
from workloads.galaxy.wire_format import WireFormat

TILES = (1, 2, 4)


def problem_of(*speeds: float, memory_bytes: int = 1 << 40) -> PlanProblem:
    return PlanProblem(
        architecture=small(4, heads=12, name="bert-base"),
        cluster=cluster(*[device(speed, memory_bytes) for speed in speeds], mbit=500),
        load=Load(num_tokens=96, itemsize=4),
    )


def begun(problem: PlanProblem, *heads: int) -> RingPlan:
    """Columns in proportion to heads, rows even."""
    num, columns = len(heads), problem.architecture.ffn_size
    choice = RingChoice(
        strategy=Strategy.HYBRID,
        order=tuple(range(num)),
        weights=(1.0,) * num,
        wire=WireFormat.EXACT,
        num_tiles=2,
    )
    own = [columns * size // sum(heads) for size in heads]
    shares = Shares(heads=heads, columns=(*own[:-1], columns - sum(own[:-1])))
    plan = choice.plan(problem.architecture, shares)
    return RingPlan(choice=choice, shares=shares, plan=plan, latency_ns=problem.forecast(plan).latency_ns)


@pytest.mark.parametrize("heads", [(6, 6), (5, 7), (4, 4, 4), (3, 3, 3, 3)])
def test_what_is_polished_is_as_fast_as_it_is_said_and_not_slower(heads: tuple[int, ...]) -> None:
    problem = problem_of(*(4.0, 2.0, 3.0, 1.0)[: len(heads)])
    begin = begun(problem, *heads)
    found = polished(problem, begin, [], TILES)
    assert begin.latency_ns / MOST_GAIN <= found.latency_ns < begin.latency_ns
    assert found.plan == found.choice.plan(problem.architecture, found.shares)
    assert problem.forecast(found.plan).latency_ns == found.latency_ns


def test_nobody_is_given_more_than_it_may_hold() -> None:
    roomy = problem_of(4.0, 1.0)
    begin = begun(roomy, 6, 6)
    most = max(memory_bytes(roomy.architecture, begin.plan, roomy.load))
    tight = problem_of(4.0, 1.0, memory_bytes=most)
    assert polished(roomy, begin, [], TILES).shares.heads[0] > 6
    held = memory_bytes(tight.architecture, polished(tight, begin, [], TILES).plan, tight.load)
    assert max(held) <= most


def test_better_shares_to_begin_with_are_taken() -> None:
    problem = problem_of(2.0, 2.0)
    other, half = begun(problem, 6, 6), problem.architecture.ffn_size // 2
    begin = with_columns(problem, other, half - half // 10, half + half // 10)
    assert begin.latency_ns / MOST_GAIN < other.latency_ns < begin.latency_ns
    found = polished(problem, begin, [other.shares], (2,))
    assert found.latency_ns <= other.latency_ns


def with_columns(problem: PlanProblem, one: RingPlan, *columns: int) -> RingPlan:
    shares = replace(one.shares, columns=columns)
    plan = one.choice.plan(problem.architecture, shares)
    latency_ns = problem.forecast(plan).latency_ns
    return RingPlan(choice=one.choice, shares=shares, plan=plan, latency_ns=latency_ns)


def test_tiles_that_are_given_are_kept() -> None:
    problem = replace(problem_of(4.0, 2.0), num_tiles=2)
    assert polished(problem, begun(problem, 8, 4), [], (2,)).plan.num_tiles == 2
