"""What a search leaves out is no better than what it finds."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.galaxy_latency import num_flops
from tests.workloads.galaxy.plan_samples import ROOMY, cluster, clusters, device, small
from workloads.galaxy.given_devices import paced_device
from workloads.galaxy.memory import Load, shared_need
from workloads.galaxy.plan import ParallelPlan, Strategy, shares_of
from workloads.galaxy.planning.plan_bounds import least_ns
from workloads.galaxy.planning.plan_problem import PlanProblem
from workloads.galaxy.planning.shared_plans import any_shared, best_shared
from workloads.galaxy.profile import ClusterProfile
from workloads.galaxy.wire_format import WireFormat
from workloads.transformer.ladder import named

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


def test_columns_make_up_for_heads_that_cannot_be_cut() -> None:
    of = cluster(*[device(0.1)] * 2, mbit=10_000)
    architecture = small(6, heads=3, name="bert-base")
    problem = PlanProblem(architecture=architecture, cluster=of, load=Load(num_tokens=96, itemsize=4))
    found = best_shared(problem, (0, 1))
    assert found is not None
    heads = [len(part.share.kv_heads) for part in found.plan.parts]
    columns = [len(part.share.ffn_columns) for part in found.plan.parts]
    assert sorted(heads) == [1, 2]
    assert (columns[0] < columns[1]) == (heads[0] > heads[1])
    assert found.latency_ns < 0.95 * problem.forecast(with_even_columns(problem, found.plan)).latency_ns


def with_even_columns(problem: PlanProblem, plan: ParallelPlan) -> ParallelPlan:
    heads, half = [len(part.share.kv_heads) for part in plan.parts], problem.architecture.ffn_size // 2
    shares = shares_of(problem.architecture, heads, [half, half])
    parts = zip(plan.parts, shares, strict=True)
    return replace(plan, parts=tuple(replace(part, share=share) for part, share in parts))


@pytest.mark.parametrize("name", ["bert-large", "gpt2-774m"])
def test_unequal_devices_lose_little_to_whole_heads(name: str) -> None:
    """All FLOPs on all devices at once, without a rest, take nearly as long."""
    speeds = (20e9, 10e9, 5e9)
    problem = PlanProblem(
        architecture=named(name),
        cluster=cluster(*[paced_device("device", speed, ROOMY) for speed in speeds]),
        load=Load(num_tokens=284, itemsize=4),
        wires=(WireFormat.INT8,),
        strategies=(Strategy.HYBRID,),
    )
    found = best_shared(problem, (0, 1, 2))
    assert found is not None
    assert found.latency_ns <= 1.015 * num_flops(problem.architecture, 284) / sum(speeds) * 1e9


def test_of_many_devices_with_little_memory_more_tiles_fit() -> None:
    """Searches of many devices leave rings early, but not for what fits in smaller tiles only."""
    num, architecture, load = 17, small(2, heads=17), Load(num_tokens=17 * 20, itemsize=4)
    columns = -(-architecture.ffn_size // num)
    large, little = (
        shared_need(architecture, Strategy.HYBRID, load, WireFormat.EXACT, rows).of(1, columns)
        for rows in (10, 5)
    )
    problem = PlanProblem(
        architecture=architecture,
        cluster=cluster(*[device(5, (large + little) // 2)] * num, mbit=1000),
        load=load,
        strategies=SHARING,
    )
    found = best_shared(problem, range(num))
    assert found is not None
    assert found.plan.num_tiles == 4
    assert any_shared(problem, range(num)) is not None


def test_of_many_devices_what_is_found_is_nearly_the_fastest() -> None:
    """Of one ring, all numbers of tiles are asked for by themselves."""
    architecture = small(4, heads=20, name="bert-base")
    of = cluster(*[device(speed) for speed in (4, 2, 1, 3)] * 5, mbit=300)
    problem = PlanProblem(
        architecture=architecture,
        cluster=of,
        load=Load(num_tokens=240, itemsize=4),
        strategies=SHARING,
    )
    found = best_shared(problem, range(20))
    each = [best_shared(replace(problem, num_tiles=count), range(20)) for count in (1, 2, 3, 4, 6, 8)]
    assert found is not None
    assert found.latency_ns <= 1.03 * min(one.latency_ns for one in each if one is not None)


@pytest.mark.parametrize("times", [1.0001, 1.002, 1.004])
def test_a_limit_that_is_nearly_what_must_be_leaves_what_is_under_it(times: float) -> None:
    of = cluster(*[device(5)] * 2, mbit=10_000)
    problem = problem_of(of, 2, "gpt2-124m")
    found = best_shared(problem, (0, 1))
    assert found is not None
    assert best_shared(problem, (0, 1), found.latency_ns * times) == found
