"""What the planner is judged by: the same forecast, a convex one, and an optimum that is one."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from benchmarks.galaxy_optimum import RingChoice, optimum, ring_plan
from benchmarks.galaxy_slopes import SlopedRing
from tests.workloads.galaxy.plan_samples import cluster, device, small
from workloads.galaxy.memory import Load
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.wire_format import WireFormat

PROBLEMS = [
    PlanProblem(
        architecture=small(name=name, heads=5, ffn_size=8, vocab_size=80),
        cluster=cluster(device(4, 2_000_000), device(1, 2_000_000), mbit=50),
        load=Load(num_tokens=20, itemsize=4),
    )
    for name in ("gpt2-124m", "bert-base")
]
RING = RingChoice(order=(0, 1), weights=(1.0, 1.5), num_tiles=2, wire=WireFormat.EXACT)


def latency_ns(problem: PlanProblem, heads: int, columns: int) -> float:
    plan = ring_plan(problem, RING, (heads, 5 - heads), (columns, 8 - columns))
    return problem.forecast(plan).latency_ns


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda one: one.architecture.family)
def test_slopes_are_those_of_the_forecast(problem: PlanProblem) -> None:
    lines = SlopedRing(problem, ring_plan(problem, RING))
    at = np.array([3.0, 2.0, 5.0, 3.0])
    moment = lines.latency(at)
    assert moment.value == pytest.approx(latency_ns(problem, 3, 5), rel=1e-9)
    for heads, columns in product(range(1, 5), range(1, 8)):
        sizes = np.array([heads, 5 - heads, columns, 8 - columns], dtype=np.float64)
        below = moment.value + float(moment.slopes @ (sizes - at))
        assert below <= latency_ns(problem, heads, columns) * (1 + 1e-9)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda one: one.architecture.family)
def test_the_optimum_is_that_of_all_shares(problem: PlanProblem) -> None:
    least = min(latency_ns(problem, heads, columns) for heads, columns in product(range(1, 5), range(1, 8)))
    found = optimum(problem, RING, float("inf"))
    assert found is not None
    assert found.best_ns == pytest.approx(least, rel=2e-3)
    assert found.least_ns <= least * (1 + 1e-6)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda one: one.architecture.family)
def test_what_no_split_reaches_is_known_without_a_programme(problem: PlanProblem) -> None:
    least = min(latency_ns(problem, heads, columns) for heads, columns in product(range(1, 5), range(1, 8)))
    found = optimum(problem, RING, 1.0)
    assert found is not None
    assert found.best_ns == float("inf")
    assert 0.3 * least < found.least_ns <= least


def test_no_shares_are_the_optimum_where_none_fit() -> None:
    known = PROBLEMS[0]
    tight = tuple(replace(one, memory_bytes=10_000) for one in known.cluster.devices)
    assert optimum(known.with_cluster(replace(known.cluster, devices=tight)), RING, float("inf")) is None
