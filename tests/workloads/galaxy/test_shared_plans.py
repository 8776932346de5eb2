"""What a search leaves out is no better than what it finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.galaxy.plan_samples import cluster, clusters, device, small
from workloads.galaxy.memory import Load, shared_need
from workloads.galaxy.plan import Strategy
from workloads.galaxy.plan_bounds import least_ns
from workloads.galaxy.plan_problem import PlanProblem
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.shared_plans import best_shared
from workloads.galaxy.wire_format import WireFormat

SHARING = (Strategy.HYBRID, Strategy.TENSOR)
JUST_ABOVE = 1 + 1e-9


def problem_of(of: ClusterProfile, num_layers: int, name: str = "bert-base") -> PlanProblem:
    return PlanProblem(
        architecture=small(num_layers, name=name),
        cluster=of,
        load=Load(num_tokens=48, itemsize=4),
        strategies=SHARING,
    )


@pytest.mark.parametrize("name", ["bert-base", "gpt2-124m"])
def test_the_only_device_with_room_for_columns_is_not_counted_too_much(name: str) -> None:
    """The answer of an encoder is there before other devices than the first have done all of the last MLP."""
    problem = problem_of(cluster(*[device(5)] * 3, mbit=10_000), 1, name)
    need = shared_need(
        problem.architecture, Strategy.HYBRID, problem.load, WireFormat.EXACT, problem.load.num_tokens
    )
    tight = device(5, int(need.of(2, 10)))
    check_limits(problem.with_cluster(cluster(tight, device(0.5), tight, mbit=10_000)), (0, 1, 2))


@settings(max_examples=25)
@given(clusters(least=2), st.integers(1, 2), st.sampled_from(("bert-base", "gpt2-124m")))
def test_a_limit_only_spares_work(of: ClusterProfile, num_layers: int, name: str) -> None:
    check_limits(problem_of(of, num_layers, name), tuple(range(len(of.devices))))


def check_limits(problem: PlanProblem, devices: tuple[int, ...]) -> None:
    found = best_shared(problem, devices)
    if found is not None:
        assert least_ns(problem, devices) <= found.latency_ns
        assert best_shared(problem, devices, found.latency_ns * JUST_ABOVE) == found
