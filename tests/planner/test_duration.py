"""Predicted time: bounded by what was asked, growing with the problem, from ceilings where there are some."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.limits import Limits
from saih.domain.point import Placement, Timing
from saih.domain.sweep import Sweep
from saih.planner.duration import CEILINGS_S, generating_s, predict, preparing_s, starting_s, step_s
from saih.planner.plan import PlannedPoint, make_plan
from workloads.catalog import workload


def at(rate: float) -> Interval:
    return Interval(low=rate, value=rate, high=rate, level=0.95, count=9)


def ceilings(flops_per_s: float, bytes_per_s: float = 1e12) -> Ceilings:
    arithmetic = Ceiling(
        kind=CeilingKind.GEMM,
        precision="float32",
        unit="FLOP/s",
        size_unit="",
        sizes=(64.0,),
        rates=(at(flops_per_s),),
    )
    memory = replace(arithmetic, kind=CeilingKind.MEMORY, precision="", rates=(at(bytes_per_s),))
    return Ceilings(
        environment_id="e",
        placement_label="p",
        curves=(arithmetic, memory),
        measured_utc="",
        all_reduce_latency_s=1e-5,
        all_reduce_bytes_per_s=1e10,
        vendor_flops_per_s={},
    )


def first(sweep: Sweep) -> PlannedPoint:
    return make_plan(sweep, Limits()).points[0]


@settings(max_examples=60, deadline=None)
@given(
    warmup=st.integers(0, 100),
    fewest=st.integers(1, 100),
    more=st.integers(0, 1000),
    budget_s=st.floats(0.01, 1e4),
)
def test_a_point_takes_its_budget_or_its_steps(
    base_sweep: Sweep, warmup: int, fewest: int, more: int, budget_s: float
) -> None:
    timing = Timing(warmup_steps=warmup, min_steps=fewest, max_steps=fewest + more, budget_s=budget_s)
    one = first(replace(base_sweep, timing=timing))
    step = step_s(one.point, one.cost)
    seconds = predict(one.point, one.cost)
    assert seconds >= (warmup + fewest) * step
    assert seconds <= 3.0 + (warmup + 1) * step + max(budget_s, fewest * step) + 1e-9


def test_larger_problems_take_longer_steps(base_sweep: Sweep) -> None:
    plan = make_plan(base_sweep, Limits())
    steps = [step_s(one.point, one.cost) for one in plan.points]
    assert steps[0] < steps[1] < steps[2]
    assert steps[0] < steps[3]


def test_measured_ceilings_replace_assumptions(base_sweep: Sweep) -> None:
    one = first(base_sweep)
    slow, fast = (step_s(one.point, one.cost, ceilings(rate)) for rate in (1e9, 1e12))
    assert slow > 10 * fast
    ranks = one.point.placement.num_ranks
    assert slow >= one.cost.flops * ranks / 1e9
    other = replace(one.point, precision="bfloat16")
    assert step_s(other, one.cost, ceilings(1e12)) == step_s(other, one.cost)


def test_exchange_costs_time_that_ranks_alone_do_not_spend(base_sweep: Sweep) -> None:
    one = first(base_sweep)
    assert step_s(one.point, one.cost) > step_s(replace(one.point, exchange="none"), one.cost)


def test_starts_grow_with_ranks_and_known_ceilings_are_not_measured_again() -> None:
    small, large = Placement(), Placement(nodes=1024, ranks_per_node=4, data_parallel=4096)
    assert starting_s(small) < 10
    assert 60 < starting_s(large) < 600
    assert (
        preparing_s(small, None, ("float32",)) - preparing_s(small, ceilings(1.0), ("float32",)) == CEILINGS_S
    )
    assert preparing_s(small, ceilings(1.0), ("bfloat16",)) == preparing_s(small, None, ("bfloat16",))


def test_data_sets_are_made_once_by_all_ranks(base_sweep: Sweep) -> None:
    plan = make_plan(base_sweep, Limits())
    one = workload("cosmoflow").cost(base_sweep.base, batch_per_rank=1, precision="float32").dataset_core_s
    # 8 universes of 64^3 particles, 20 steps, 1.9e6 particle-steps a second; two resolutions.
    assert one == pytest.approx(8 * 64**3 * 20 / 1.9e6)
    assert generating_s(plan.points, 8) == pytest.approx(2 * one / 8)
    assert generating_s(plan.points[:1] * 3, 8) == pytest.approx(one / 8)
    assert generating_s(plan.points[:1], 10**6) == pytest.approx(one / 17)  # a file each, at most
    assert generating_s((), 1) == 0.0
