"""Batches: every point once, lines together, no batch over its time, as few as can be."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.ladder import build
from augment.problem import Problem, Shape
from saih.domain.batch import Batch
from saih.domain.errors import UsageError
from saih.domain.limits import Limits
from saih.domain.point import Placement, Point, Timing
from saih.domain.scaling import Grows, RankLadder
from saih.domain.site import Packing, Site
from saih.domain.sweep import Sweep
from saih.planner.demand import demand
from saih.planner.duration import generating_s, predict, preparing_s
from saih.planner.packing import SAFETY, capacity_s, pack, time_limit_s, within_time
from saih.planner.plan import Plan, make_plan

Planning = Callable[..., Plan]
DAY = Site(name="day", scheduler="slurm")
PLACEMENT = st.builds(
    lambda nodes, per_node: Placement(nodes=nodes, ranks_per_node=per_node, data_parallel=nodes * per_node),
    st.integers(1, 9),
    st.integers(1, 3),
)
SITES = st.builds(
    Site,
    scheduler=st.just("slurm"),
    max_time_s=st.floats(120, 20_000),
    notice_s=st.floats(0, 60),
    packing=st.sampled_from(["line", "placement"]),
)


def line(point: Point) -> str:
    return str(point.problem)


def measuring_s(plan: Plan, batch: Batch) -> float:
    costs = {one.point.point_id: one.cost for one in plan.points}
    points = sum(predict(point, costs[point.point_id]) for point in batch.points)
    placements = {point.placement for point in batch.points}
    return points + sum(preparing_s(placement, None, ("float32",)) for placement in placements)


@settings(max_examples=80, deadline=None)
@given(
    widths=st.lists(st.integers(1, 40), min_size=1, max_size=25, unique=True),
    placement=PLACEMENT,
    budget_s=st.floats(0.1, 300),
    site=SITES,
)
def test_packing_holds_its_promises(
    planning: Planning, widths: list[int], placement: Placement, budget_s: float, site: Site
) -> None:
    plan = within_time(planning(widths, placement=placement, budget_s=budget_s), site)
    batches = pack(plan.points, site, first_number=3)
    counted = Counter(point.point_id for batch in batches for point in batch.points)
    assert counted == Counter(one.point.point_id for one in plan.points)
    assert [batch.number for batch in batches] == list(range(3, 3 + len(batches)))
    assert [batch.predicted_s for batch in batches] == sorted((b.predicted_s for b in batches), reverse=True)
    for batch in batches:
        assert batch.nodes == max(point.placement.nodes for point in batch.points)
        assert batch.time_limit_s <= site.max_time_s
        assert measuring_s(plan, batch) <= capacity_s(site) + 1e-6 or len(batch.points) == 1
        most = max(point.placement.num_ranks for point in batch.points)
        data_s = generating_s(plan.points, most) if len(batches) == 1 else 0.0
        assert batch.predicted_s == pytest.approx(measuring_s(plan, batch) + data_s)
    if site.packing == "placement":
        assert all(len({point.placement for point in batch.points}) == 1 for batch in batches)
    else:
        assert_lines_are_whole(plan, batches, site)


def assert_lines_are_whole(plan: Plan, batches: tuple[Batch, ...], site: Site) -> None:
    homes: dict[str, set[int]] = {}
    for batch in batches:
        for point in batch.points:
            homes.setdefault(line(point), set()).add(batch.number)
    for name, numbers in homes.items():
        if len(numbers) > 1:
            members = tuple(one.point for one in plan.points if line(one.point) == name)
            whole = Batch(number=1, points=members, nodes=1, predicted_s=0.0, time_limit_s=0.0)
            assert measuring_s(plan, whole) > capacity_s(site)


def test_a_hundred_small_points_are_one_batch(planning: Planning) -> None:
    placement = Placement(nodes=4, ranks_per_node=2, data_parallel=8)
    plan = planning(range(1, 26), placement=placement, budget_s=5)
    assert len(plan.points) == 100
    (batch,) = pack(plan.points, DAY)
    assert batch.nodes == 4
    assert batch.points == tuple(one.point for one in plan.points)
    assert batch.predicted_s < batch.time_limit_s < 86_400


def test_one_group_for_each_placement_where_the_site_asks_for_it(planning: Planning) -> None:
    plan = planning()
    batches = pack(plan.points, replace(DAY, packing="placement"))
    assert sorted(batch.nodes for batch in batches) == [1, 1, 2, 4]


def test_the_longest_batch_comes_first_and_the_limit_has_headroom(planning: Planning) -> None:
    site = replace(DAY, max_time_s=3600.0)
    plan = planning(range(1, 60), budget_s=60)
    batches = pack(plan.points, site)
    assert len(batches) > 4
    assert all(batch.time_limit_s >= min(3600.0, SAFETY * batch.predicted_s) for batch in batches)
    fewest = sum(measuring_s(plan, batch) for batch in batches) / capacity_s(site)
    assert len(batches) <= 1.3 * fewest + 1


def test_time_limits_are_whole_minutes_up_to_what_the_partition_takes() -> None:
    assert time_limit_s(100.0, DAY) == 600.0
    assert time_limit_s(1e9, DAY) == DAY.max_time_s
    assert time_limit_s(1.0, replace(DAY, max_time_s=90.0)) == 90.0


@pytest.mark.parametrize("packing", ["line", "placement"])
def test_a_point_that_no_job_has_time_for_is_told(planning: Planning, packing: Packing) -> None:
    site = replace(DAY, max_time_s=600.0, packing=packing)
    plan = planning(budget_s=900.0)
    with pytest.raises(UsageError, match=r"takes about 15\.\d minutes; a job on day has 8") as caught:
        pack(plan.points, site)
    assert "lower timing.budget_s (900)" in caught.value.remedy
    timed = within_time(plan, site)
    assert timed.points == ()
    assert len(timed.dropped) == len(plan.points)
    assert "take a partition with longer jobs" in timed.dropped[0].reason
    assert pack(timed.points, site) == ()
    assert within_time(plan, DAY) == plan


def test_idle_nodes_are_those_that_a_line_holds_without_using(planning: Planning) -> None:
    plan = planning()
    by_line = demand(plan, pack(plan.points, DAY), DAY)
    apart = replace(DAY, packing="placement")
    by_placement = demand(plan, pack(plan.points, apart), apart)
    assert by_placement.idle_node_hours == 0.0
    assert 0.0 < by_line.idle_node_hours < by_line.node_hours
    assert (by_line.num_jobs, by_placement.num_jobs) == (1, 6)
    assert by_line.node_hours < by_line.most_node_hours
    assert by_line.data_bytes == plan.data_bytes


def test_what_a_sweep_needs_is_counted(planning: Planning) -> None:
    plan = planning([4], placement=Placement(ranks_per_node=2, data_parallel=2))
    batches = pack(plan.points, DAY)
    found = demand(plan, batches, DAY)
    (batch,) = batches
    assert found.node_hours == pytest.approx(batch.predicted_s / 3600)
    # 2 x 8 universes and shards + manifest, 2 points, 2 placements, one batch, the sweep.
    assert found.num_files == 17 + 2 * 4 + 2 * 7 + 7 + 4
    local = Site()
    assert demand(plan, pack(plan.points, local), local).num_jobs == 0
    empty = replace(plan, points=())
    assert demand(empty, (), DAY).node_hours == 0.0


def test_points_that_take_longer_for_what_follows_them_need_more_batches_or_time(planning: Planning) -> None:
    plan = planning(range(4, 24), placement=Placement(nodes=1, ranks_per_node=2, data_parallel=2))
    plain, longer = pack(plan.points, DAY), pack(plan.points, DAY, more_s=600.0)
    measured = sum(batch.predicted_s for batch in longer) - sum(batch.predicted_s for batch in plain)
    assert measured >= 600.0 * len(plan.points)
    assert all(batch.predicted_s <= batch.time_limit_s for batch in longer)
    with pytest.raises(UsageError, match="takes about"):
        pack(plan.points, replace(DAY, max_time_s=300.0), more_s=600.0)


@pytest.mark.parametrize("grows", ["tensor", "pipeline"])
def test_ranks_that_divide_a_model_further_stay_on_one_set_of_nodes(base_sweep: Sweep, grows: Grows) -> None:
    lengths = [8, 16, 24, 32]
    asked = replace(
        base_sweep,
        workload="energon",
        base=Problem(data=Shape.of(sequence=8), model=Shape.of(layers=4, hidden=32, heads=4)),
        ladders=(build("data", {"sequence": lengths}, "zip"),),
        exchange="none",
        placements=(Placement(ranks_per_node=4, data_parallel=4),),
        timing=Timing(budget_s=60.0, max_steps=1_000_000),
        rank_ladder=RankLadder(scaling="strong", ranks=(1, 2, 4), grows=grows),
    )
    plan = make_plan(asked, Limits())
    assert len(plan.points) == 12
    batches = pack(plan.points, replace(DAY, max_time_s=900.0))
    assert len(batches) == len(lengths)
    for batch in batches:
        assert len({line(point) for point in batch.points}) == 1
        assert [point.placement.num_ranks for point in batch.points] == [1, 2, 4]
