"""Plans: every point once, with its cost, or with the reason why it does not run."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.ladder import Ladder, build
from augment.problem import Problem, Shape
from saih.domain.errors import UsageError
from saih.domain.limits import Limits
from saih.domain.point import Placement, Timing
from saih.domain.sweep import Sweep
from saih.planner.limits import RUNTIME_BYTES_PER_RANK, in_bytes
from saih.planner.plan import make_plan
from workloads.catalog import workload

SWEEP = Sweep(
    name="tiny",
    workload="cosmoflow",
    base=Problem(
        data=Shape.of(samples=8, resolution=16, channels=1, universes=8), model=Shape.of(depth=1, width=4)
    ),
    ladders=(build("data", {"resolution": [16, 32]}, "zip"), build("model", {"width": [4, 8, 16]}, "zip")),
    batch_per_rank=2,
    precision="float32",
    exchange="ddp",
    placements=(Placement(ranks_per_node=2, data_parallel=2),),
    timing=Timing(),
    seed=1,
)
NO_LIMITS = Limits()


def test_the_product_of_the_ladders_is_planned_in_growing_order() -> None:
    plan = make_plan(SWEEP, NO_LIMITS)
    sizes = [(p.point.problem.data["resolution"], p.point.problem.model["width"]) for p in plan.points]
    assert sizes == [(16, 4), (16, 8), (16, 16), (32, 4), (32, 8), (32, 16)]
    assert plan.dropped == ()
    assert plan.notes == ()
    assert plan.points[0].labels["model"] == "width 4, depth 1"
    assert "placement" not in plan.points[0].labels


def test_costs_and_totals_are_those_of_the_workload() -> None:
    plan = make_plan(SWEEP, NO_LIMITS)
    application = workload("cosmoflow")
    costs = [application.cost(p.point.problem, batch_per_rank=2, precision="float32") for p in plan.points]
    assert [planned.cost for planned in plan.points] == costs
    assert plan.flops_of_one_step == 2 * sum(cost.flops for cost in costs)
    assert plan.data_bytes == costs[0].dataset_bytes + costs[3].dataset_bytes


def test_a_problem_that_cannot_be_built_is_dropped_with_the_reason() -> None:
    ladder = build("data", {"resolution": [16, 17]}, "zip")
    plan = make_plan(replace(SWEEP, ladders=(ladder,)), NO_LIMITS)
    assert len(plan.points) == 1
    assert "17" in plan.dropped[0].reason
    assert "resolution 17" in plan.dropped[0].labels["data"]


def test_points_that_need_more_memory_than_a_node_has_are_dropped_with_the_sum() -> None:
    needs = [
        2 * (p.cost.peak_memory_bytes + RUNTIME_BYTES_PER_RANK) for p in make_plan(SWEEP, NO_LIMITS).points
    ]
    room = sorted(needs)[2]
    plan = make_plan(SWEEP, Limits(memory_bytes_per_node=room))
    assert len(plan.points) == 3
    assert len(plan.dropped) == 3
    reason = plan.dropped[-1].reason
    assert reason.startswith("2 ranks x (")
    assert f"a node has {in_bytes(room)}" in reason
    assert in_bytes(needs[-1]) in reason


def test_on_gpus_the_memory_of_one_gpu_decides() -> None:
    sweep = replace(SWEEP, placements=(replace(SWEEP.placements[0], device="cuda"),))
    room = make_plan(sweep, NO_LIMITS).points[3].cost.tensor_bytes("cuda")
    plan = make_plan(sweep, Limits(memory_bytes_per_node=10**9, device_memory_bytes=room))
    assert all(planned.cost.tensor_bytes("cuda") <= room for planned in plan.points)
    assert len(plan.points) + len(plan.dropped) == 6
    assert "a GPU has" in plan.dropped[0].reason


def test_data_sets_share_the_disk_and_each_counts_once() -> None:
    first, second = sorted({p.cost.dataset_disk_bytes for p in make_plan(SWEEP, NO_LIMITS).points})
    assert len(make_plan(SWEEP, Limits(disk_bytes=first + second)).points) == 6
    plan = make_plan(SWEEP, Limits(disk_bytes=first + second - 1))
    assert len(plan.points) == 3
    assert in_bytes(first) in plan.dropped[0].reason
    assert in_bytes(second) in plan.dropped[0].reason
    assert plan.disk_bytes == first


def test_a_single_rank_runs_without_exchange_and_the_plan_says_so() -> None:
    plan = make_plan(replace(SWEEP, placements=(Placement(),)), NO_LIMITS)
    assert {planned.point.exchange for planned in plan.points} == {"none"}
    assert plan.notes[0].startswith("exchange ddp becomes none on 1 node x 1 rank")


def test_ranks_without_exchange_are_noted() -> None:
    plan = make_plan(replace(SWEEP, exchange="none"), NO_LIMITS)
    assert "side by side" in plan.notes[0]
    assert make_plan(replace(SWEEP, exchange="none", placements=(Placement(),)), NO_LIMITS).notes == ()


@pytest.mark.parametrize(("repeats", "told"), [(2, "1 point comes twice"), (3, "2 points come twice")])
def test_points_that_come_twice_are_measured_once(repeats: int, told: str) -> None:
    ladder = Ladder(axis="model", rungs=(Shape.of(width=8),) * repeats)
    plan = make_plan(replace(SWEEP, ladders=(ladder,)), NO_LIMITS)
    assert len(plan.points) == 1
    assert plan.notes[0].startswith(told)


def test_dropped_points_that_come_twice_are_told_once() -> None:
    ladder = Ladder(axis="data", rungs=(Shape.of(resolution=17),) * 2)
    assert len(make_plan(replace(SWEEP, ladders=(ladder,)), NO_LIMITS).dropped) == 1


def test_several_placements_are_told_apart_by_their_label() -> None:
    placements = (Placement(), Placement(ranks_per_node=2, data_parallel=2))
    plan = make_plan(replace(SWEEP, placements=placements), NO_LIMITS)
    assert len(plan.points) == 12
    assert {planned.labels["placement"] for planned in plan.points} == {p.label for p in placements}


def test_a_product_beyond_the_cap_is_refused_before_it_is_made() -> None:
    ladder = Ladder(axis="model", rungs=tuple(Shape.of(width=width) for width in range(1, 100_002)))
    with pytest.raises(UsageError, match="200002 points"):
        make_plan(replace(SWEEP, ladders=(SWEEP.ladders[0], ladder)), NO_LIMITS)


@pytest.mark.parametrize(
    ("count", "words"), [(5, "5 B"), (1500, "1.5 kB"), (2 * 10**6, "2 MB"), (10**9, "1 GB"), (10**12, "1 TB")]
)
def test_bytes_are_told_with_decimal_prefixes(count: int, words: str) -> None:
    assert in_bytes(count) == words


@settings(max_examples=40, deadline=None)
@given(
    widths=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    resolutions=st.lists(st.sampled_from([8, 9, 16, 32]), min_size=1, max_size=3),
    room=st.none() | st.integers(0, 3 * 10**9),
    disk=st.none() | st.integers(0, 10**6),
)
def test_every_asked_point_is_planned_or_dropped_exactly_once(
    widths: list[int], resolutions: list[int], room: int | None, disk: int | None
) -> None:
    ladders = (build("data", {"resolution": resolutions}, "zip"), build("model", {"width": widths}, "zip"))
    plan = make_plan(replace(SWEEP, ladders=ladders), Limits(memory_bytes_per_node=room, disk_bytes=disk))
    asked = {(resolution, width) for resolution in resolutions for width in widths}
    points = [p.point for p in plan.points] + [d.point for d in plan.dropped]
    got = [(point.problem.data["resolution"], point.problem.model["width"]) for point in points]
    assert sorted(got) == sorted(asked)
    assert all(dropped.reason for dropped in plan.dropped)
    assert disk is None or plan.data_bytes <= disk


def test_data_that_no_memory_can_make_is_dropped_with_the_bytes() -> None:
    data = Shape.of(samples=8, resolution=512, channels=1, universes=8)
    large = replace(SWEEP, base=replace(SWEEP.base, data=data), ladders=(), placements=(Placement(),))
    (planned,) = make_plan(replace(large, batch_per_rank=1), NO_LIMITS).points
    room = planned.cost.dataset_memory_bytes
    needed = planned.cost.peak_memory_bytes + RUNTIME_BYTES_PER_RANK
    assert room > needed > 0
    small = replace(large, batch_per_rank=1)
    assert make_plan(small, Limits(memory_bytes_per_node=room)).dropped == ()
    (dropped,) = make_plan(small, Limits(memory_bytes_per_node=room - 1)).dropped
    assert f"making one part of its data set takes {in_bytes(room)}" in dropped.reason
    two = replace(small, placements=(Placement(nodes=2, data_parallel=2),))
    assert make_plan(two, Limits(memory_bytes_per_node=room - 1)).dropped == ()
