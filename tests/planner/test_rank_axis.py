"""The ranks axis in a plan: every rung on its nodes, with its batch and exchange, or with the reason."""

from dataclasses import replace

import pytest

from augment.ladder import build
from saih.domain.errors import UsageError
from saih.domain.limits import Limits
from saih.domain.point import Placement
from saih.domain.scaling import RankLadder
from saih.domain.site import Site
from saih.domain.sweep import Sweep
from saih.planner.limits import limits_of
from saih.planner.plan import make_plan

NO_LIMITS = Limits()


def climbing(sweep: Sweep, scaling: str, ranks: tuple[int, ...]) -> Sweep:
    ladders = {
        name: RankLadder(scaling=name, ranks=ranks) for name in ("strong", "weak", "throughput")
    }  # fmt: skip
    return replace(sweep, rank_ladder=ladders[scaling])


def test_every_problem_meets_every_number_of_ranks(base_sweep: Sweep) -> None:
    plan = make_plan(climbing(base_sweep, "weak", (1, 2, 8)), NO_LIMITS)
    assert len(plan.points) == 18
    seats = [(p.nodes, p.ranks_per_node, p.data_parallel) for p in plan.placements]
    assert seats == [(1, 1, 1), (1, 2, 2), (4, 2, 8)]
    assert [p.labels["ranks"] for p in plan.points[::6]] == ["1 rank", "2 ranks", "8 ranks"]
    assert all("placement" not in p.labels for p in plan.points)
    assert {p.point.batch_per_rank for p in plan.points} == {2}
    assert [p.point.exchange for p in plan.points[::6]] == ["none", "ddp", "ddp"]


def test_ranks_alone_climb_at_the_base(base_sweep: Sweep) -> None:
    plan = make_plan(replace(climbing(base_sweep, "weak", (1, 2, 4)), ladders=()), NO_LIMITS)
    assert [p.point.placement.num_ranks for p in plan.points] == [1, 2, 4]
    assert {p.point.problem for p in plan.points} == {base_sweep.base}


def test_strong_scaling_shares_the_batch_and_drops_what_it_cannot_share(base_sweep: Sweep) -> None:
    sweep = replace(climbing(base_sweep, "strong", (1, 2, 4, 8)), batch_per_rank=4, ladders=())
    plan = make_plan(sweep, NO_LIMITS)
    assert [p.point.batch_per_rank for p in plan.points] == [4, 2, 1]
    assert [p.cost.samples_per_step for p in plan.points] == [4, 2, 1]
    (dropped,) = plan.dropped
    assert dropped.labels["ranks"] == "8 ranks"
    assert "global batch of 4 samples" in dropped.reason
    assert "choose a batch_per_rank" in dropped.reason


def test_throughput_exchanges_nothing_and_the_plan_says_so(base_sweep: Sweep) -> None:
    plan = make_plan(climbing(base_sweep, "throughput", (1, 2, 8)), NO_LIMITS)
    assert {p.point.exchange for p in plan.points} == {"none"}
    assert any("replica of its own" in note for note in plan.notes)


def test_a_rung_is_the_same_point_as_its_placement_alone(base_sweep: Sweep) -> None:
    climbed = make_plan(climbing(base_sweep, "weak", (2, 8)), NO_LIMITS)
    alone = make_plan(
        replace(base_sweep, placements=(Placement(ranks_per_node=2, data_parallel=2),)), NO_LIMITS
    )
    assert [p.point.point_id for p in climbed.points[:6]] == [p.point.point_id for p in alone.points]


def test_the_rungs_count_before_they_are_expanded(base_sweep: Sweep) -> None:
    ladder = build("model", {"width": list(range(1, 60_001))}, "zip")
    with pytest.raises(UsageError, match="120000 points"):
        make_plan(replace(climbing(base_sweep, "weak", (1, 2)), ladders=(ladder,)), NO_LIMITS)


@pytest.mark.parametrize(
    ("limits", "placement", "told"),
    [
        (
            Limits(gpus_per_node=4),
            Placement(ranks_per_node=8, data_parallel=8, device="cuda"),
            "8 ranks x 1 GPUs = 8 GPUs on each node, which has 4; lower ranks_per_node",
        ),
        (
            Limits(gpus_per_node=4),
            Placement(ranks_per_node=4, data_parallel=4, device="cuda", gpus_per_rank=2),
            "4 ranks x 2 GPUs = 8 GPUs on each node, which has 4",
        ),
        (
            Limits(cores_per_node=16),
            Placement(ranks_per_node=4, data_parallel=4, threads_per_rank=8),
            "4 ranks x 8 threads = 32 cores on each node, which has 16; lower",
        ),
        (Limits(max_nodes=2), Placement(nodes=4, data_parallel=4), "4 nodes for one job, which may have 2"),
    ],
)
def test_more_ranks_than_a_machine_has_seats_are_dropped(
    base_sweep: Sweep, limits: Limits, placement: Placement, told: str
) -> None:
    plan = make_plan(replace(base_sweep, placements=(placement,)), limits)
    assert plan.points == ()
    assert all(told in dropped.reason for dropped in plan.dropped)
    assert len(make_plan(replace(base_sweep, placements=(placement,)), NO_LIMITS).points) == 6


def test_ranks_that_fit_stay_when_larger_rungs_are_dropped(base_sweep: Sweep) -> None:
    plan = make_plan(climbing(base_sweep, "weak", (1, 2, 4, 8)), limits_of(Site(max_nodes=2), None))
    assert {p.point.placement.num_ranks for p in plan.points} == {1, 2, 4}
    assert {d.point.placement.num_ranks for d in plan.dropped} == {8}
