"""Walks: sizes that change together while one quantity stays, or along one knob."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.compound import CompoundWalk
from augment.iso import IsoWalk, Quantity
from augment.problem import Problem, Shape
from saih.domain.errors import UsageError
from saih.domain.limits import Limits
from saih.domain.point import Placement, Timing
from saih.domain.scaling import RankLadder
from saih.domain.sweep import Sweep
from saih.planner.plan import Plan, PlannedPoint, make_plan
from workloads.catalog import workload

RESOLUTIONS = (Shape.of(resolution=64), Shape.of(resolution=32), Shape.of(resolution=16))
BASE = Problem(data=Shape.of(samples=64, resolution=64, channels=2), model=Shape.of(depth=1, width=8))


def walked(sweep: Sweep, walk: IsoWalk | CompoundWalk, **changes: object) -> Plan:
    return make_plan(replace(sweep, base=BASE, ladders=(), walk=walk, **changes), Limits())


def iso(hold: Quantity, free: str, *rungs: Shape, tolerance: float = 0.15) -> IsoWalk:
    return IsoWalk(hold=hold, rungs=rungs or RESOLUTIONS, free=free, tolerance=tolerance)


def held(planned: PlannedPoint, hold: str) -> float:
    if hold == "flops":
        return planned.cost.flops * planned.point.placement.num_ranks
    return planned.cost.peak_memory_bytes if hold == "memory" else planned.cost.dataset_bytes


@pytest.mark.parametrize(
    ("hold", "free"),
    [("flops", "width"), ("flops", "batch_per_rank"), ("memory", "width"), ("memory", "batch_per_rank")],
)
def test_data_and_model_walk_while_a_cost_stays(base_sweep: Sweep, hold: Quantity, free: str) -> None:
    plan = walked(base_sweep, iso(hold, free))
    assert len(plan.points) == 3
    assert plan.dropped == ()
    quantities = [held(planned, hold) for planned in plan.points]
    assert plan.points[0].point.problem == BASE
    assert all(abs(one / quantities[0] - 1) <= 0.15 for one in quantities)
    assert "follows" in plan.notes[0]


def test_bytes_stay_exactly_where_samples_follow(base_sweep: Sweep) -> None:
    plan = walked(base_sweep, iso("bytes", "samples", tolerance=0.001))
    assert [planned.point.problem.data["samples"] for planned in plan.points] == [64, 512, 4096]
    assert len({planned.cost.dataset_bytes for planned in plan.points}) == 1


def test_ranks_walk_against_the_model_at_constant_flops(base_sweep: Sweep) -> None:
    rungs = tuple(Shape.of(ranks=ranks) for ranks in (1, 2, 4, 8))
    plan = walked(base_sweep, iso("flops", "width", *rungs, tolerance=0.2))
    assert [planned.point.placement.num_ranks for planned in plan.points] == [1, 2, 4, 8]
    widths = [planned.point.problem.model.count("width") for planned in plan.points]
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == 4
    assert [planned.point.exchange for planned in plan.points] == ["none", "ddp", "ddp", "ddp"]
    assert [planned.labels["ranks"] for planned in plan.points][:2] == ["1 rank", "2 ranks"]
    first = held(plan.points[0], "flops")
    assert all(abs(held(planned, "flops") / first - 1) <= 0.2 for planned in plan.points)


def test_ranks_follow_where_they_are_free(base_sweep: Sweep) -> None:
    rungs = (Shape.of(batch_per_rank=8), Shape.of(batch_per_rank=4), Shape.of(batch_per_rank=2))
    sweep = replace(base_sweep, batch_per_rank=8)
    plan = walked(sweep, iso("flops", "ranks", *rungs))
    assert [planned.point.placement.num_ranks for planned in plan.points] == [1, 2, 4]
    assert [planned.labels["batch"] for planned in plan.points] == ["8 a rank", "4 a rank", "2 a rank"]


def test_three_of_data_model_and_ranks_change_together(base_sweep: Sweep) -> None:
    rungs = (
        Shape.of(resolution=64, ranks=1),
        Shape.of(resolution=32, ranks=2),
        Shape.of(resolution=16, ranks=8),
    )
    plan = walked(base_sweep, iso("flops", "width", *rungs, tolerance=0.2))
    assert [
        (planned.point.problem.data["resolution"], planned.point.placement.num_ranks)
        for planned in plan.points
    ] == [(64, 1), (32, 2), (16, 8)]


def test_a_station_that_misses_the_tolerance_is_dropped_with_how_near_it_comes(base_sweep: Sweep) -> None:
    base = Problem(data=BASE.data.with_sizes({"resolution": 16}), model=Shape.of(depth=1, width=2))
    sweep = replace(base_sweep, base=base, ladders=(), walk=iso("flops", "width", tolerance=0.01))
    plan = make_plan(sweep, Limits())
    reasons = [dropped.reason for dropped in plan.dropped]
    assert reasons
    assert all("(width " in reason and "the tolerance is 1" in reason for reason in reasons)
    assert len(plan.points) + len(plan.dropped) == 3


@pytest.mark.parametrize(("hold", "free"), [("flops", "samples"), ("bytes", "width"), ("memory", "samples")])
def test_a_quantity_that_the_free_size_does_not_move_is_refused(
    base_sweep: Sweep, hold: Quantity, free: str
) -> None:
    plan = walked(base_sweep, iso(hold, free))
    assert plan.points == ()
    assert all(f"no {free} changes the" in dropped.reason for dropped in plan.dropped)


@pytest.mark.parametrize(
    ("rung", "fault"),
    [
        (Shape.of(resolution=33), "resolution 33 is not a power of two"),
    ],
)
def test_stations_that_cannot_be_are_dropped_by_name(base_sweep: Sweep, rung: Shape, fault: str) -> None:
    plan = walked(base_sweep, iso("flops", "width", Shape.of({"ranks": 2}), Shape.of({"ranks": 2, **rung})))
    assert len(plan.points) == 1
    assert fault in plan.dropped[0].reason


def test_a_base_that_cannot_be_is_told_at_once(base_sweep: Sweep) -> None:
    base = replace(BASE, data=BASE.data.with_sizes({"resolution": 33}))
    with pytest.raises(UsageError, match="the base of the walk cannot be built: resolution 33"):
        make_plan(replace(base_sweep, base=base, ladders=(), walk=iso("flops", "width")), Limits())


def test_a_walk_is_gone_on_every_rung_of_a_ranks_axis(base_sweep: Sweep) -> None:
    ladder = RankLadder(scaling="weak", ranks=(1, 2))
    plan = walked(base_sweep, iso("flops", "width"), rank_ladder=ladder)
    assert [planned.point.placement.num_ranks for planned in plan.points] == [1, 1, 1, 2, 2, 2]


def test_the_compound_knob_doubles_flops_and_the_plan_says_how_nearly(base_sweep: Sweep) -> None:
    plan = walked(base_sweep, CompoundWalk(phis=(0.0, 1.0, 3.0, 6.0)))
    flops = [planned.cost.flops_per_sample for planned in plan.points]
    assert plan.points[0].point.problem.data == BASE.data
    assert [one / flops[0] for one in flops] == pytest.approx([1, 2, 8, 64], rel=0.14)
    assert "2^phi" in plan.notes[0]


def test_other_applications_do_not_walk(base_sweep: Sweep) -> None:
    base = Problem(
        data=Shape.of(sequence=16, valid_percent=100, packed=1, batches=1),
        model=Shape.of(family="gpt2", layers=1, hidden=32, heads=2, vocab=64),
    )
    sweep = replace(
        base_sweep,
        workload="energon",
        base=base,
        ladders=(),
        walk=iso("flops", "width"),
        placements=(Placement(),),
    )
    with pytest.raises(UsageError, match="sizes of energon cannot follow from a cost"):
        make_plan(sweep, Limits())


@settings(max_examples=10, deadline=None)
@given(
    hold=st.sampled_from(["flops", "memory"]),
    free=st.sampled_from(["width", "depth", "batch_per_rank"]),
    width=st.integers(2, 24),
    tolerance=st.floats(0.01, 0.9),
)
def test_every_planned_station_holds_within_the_tolerance_and_none_is_lost(
    hold: Quantity, free: str, width: int, tolerance: float
) -> None:
    sweep = Sweep(
        name="tiny",
        workload="cosmoflow",
        base=replace(BASE, model=Shape.of(depth=2, width=width)),
        ladders=(),
        batch_per_rank=2,
        precision="float32",
        exchange="none",
        placements=(Placement(),),
        timing=Timing(),
        seed=1,
        walk=iso(hold, free, tolerance=tolerance),
    )
    plan = make_plan(sweep, Limits())
    assert len(plan.points) + len(plan.dropped) == 3
    cost = workload("cosmoflow").cost(sweep.base, batch_per_rank=2, precision="float32")
    base = cost.flops if hold == "flops" else cost.peak_memory_bytes
    assert plan.points[0].point.problem == sweep.base
    assert all(abs(held(one, hold) / base - 1) <= tolerance * (1 + 1e-9) for one in plan.points)


def test_a_base_that_is_asked_for_by_its_cost_walks_like_its_member(base_sweep: Sweep) -> None:
    by_cost = replace(BASE, model=Shape.of(flops_per_sample=2e9))
    plan = make_plan(replace(base_sweep, base=by_cost, ladders=(), walk=iso("flops", "width")), Limits())
    assert len(plan.points) == 3
    assert all(planned.cost.flops_per_sample == pytest.approx(2e9, rel=0.3) for planned in plan.points)
    rungs = (Shape.of(flops_per_sample=2e9), Shape.of(flops_per_sample=4e9))
    halved = replace(base_sweep, base=by_cost, ladders=(), batch_per_rank=4)
    plan = make_plan(replace(halved, walk=iso("flops", "batch_per_rank", *rungs)), Limits())
    assert [planned.point.batch_per_rank for planned in plan.points] == [4, 2]
