"""Ranks that share every sample: what is planned, what is refused, and what would let a point fit."""

from dataclasses import replace

import pytest

from augment.iso import IsoWalk
from augment.problem import Problem, Shape
from saih.domain.limits import Limits
from saih.domain.point import Device, Exchange, Placement, Timing
from saih.domain.scaling import RankLadder
from saih.domain.sweep import Sweep
from saih.planner.duration import step_s
from saih.planner.limits import RUNTIME_BYTES_PER_RANK, in_bytes
from saih.planner.plan import make_plan

GB = 10**9


def sweep(
    *placements: Placement,
    resolution: int = 128,
    exchange: Exchange = "ddp",
    depth: int = 1,
    **model: str,
) -> Sweep:
    data = Shape.of(samples=64, resolution=resolution, channels=4)
    return Sweep(
        name="tiny",
        workload="cosmoflow",
        base=Problem(data=data, model=Shape.of({**model, "depth": depth, "width": 32})),
        ladders=(),
        batch_per_rank=2,
        precision="float32",
        exchange=exchange,
        placements=placements or (Placement(),),
        timing=Timing(),
        seed=1,
    )


def reason_of(asked: Sweep, limits: Limits) -> str:
    plan = make_plan(asked, limits)
    assert plan.points == ()
    (dropped,) = plan.dropped
    return dropped.reason


def crew(ranks: int, device: Device = "cpu") -> Placement:
    return Placement(ranks_per_node=ranks, spatial_parallel=ranks, device=device)


def test_each_placement_has_the_cost_of_its_own_ranks() -> None:
    whole, two, four = make_plan(sweep(Placement(), crew(2), crew(4)), Limits()).points
    assert whole.cost.flops == pytest.approx(2 * two.cost.flops, rel=0.01)
    assert whole.cost.flops == pytest.approx(4 * four.cost.flops, rel=0.01)
    assert whole.cost.peak_memory_bytes > 1.9 * two.cost.peak_memory_bytes
    assert two.labels["placement"] == "1 node x 2 ranks x 1 thread (cpu, spatial 2)"
    assert step_s(whole.point, whole.cost) > step_s(two.point, two.cost) > step_s(four.point, four.cost)


def test_more_ranks_that_share_one_sample_are_rungs_of_one_batch() -> None:
    ladder = RankLadder(scaling="strong", ranks=(1, 2, 4), grows="spatial")
    asked = replace(sweep(Placement(ranks_per_node=4, data_parallel=4)), rank_ladder=ladder)
    plan = make_plan(asked, Limits())
    assert [planned.point.placement.spatial_parallel for planned in plan.points] == [1, 2, 4]
    assert {planned.cost.samples_per_step for planned in plan.points} == {2}
    assert [planned.labels["ranks"] for planned in plan.points] == ["1 rank", "2 ranks", "4 ranks"]


@pytest.mark.parametrize(
    ("placement", "told"),
    [
        (crew(3), "spatial_parallel is 3: 3 ranks cannot share 16 planes evenly; give one of 1, 2, 4, 8"),
        (crew(16), "spatial_parallel is 16: 16 ranks cannot share 16 planes: each needs 2; give 1 to 8"),
    ],
)
def test_samples_that_cannot_be_shared_so_are_dropped_with_the_reason(
    placement: Placement, told: str
) -> None:
    assert told in reason_of(sweep(placement, resolution=16), Limits())


def test_sharing_without_an_exchange_is_dropped_by_name() -> None:
    reason = reason_of(sweep(crew(2), exchange="none"), Limits())
    assert "spatial_parallel is 2 with exchange none" in reason
    assert "use exchange ddp or horovod" in reason


@pytest.mark.parametrize(
    ("workload", "data", "model"),
    [
        ("energon", {"sequence": 32}, {"layers": 2, "hidden": 64, "heads": 4}),
        (
            "galaxy",
            {"sequence": 32, "link_mbit": 100, "speeds": "20:10"},
            {"layers": 2, "hidden": 64, "heads": 4},
        ),
    ],
)
def test_workloads_without_grids_refuse_by_name(
    workload: str, data: dict[str, int | str], model: dict[str, int]
) -> None:
    base = Problem(data=Shape.of(data), model=Shape.of(model))
    asked = replace(sweep(crew(2), exchange="none"), workload=workload, base=base, batch_per_rank=1)
    told = f"spatial_parallel is 2, but {workload} has no grids for ranks to share"
    assert told in reason_of(asked, Limits())


def peak(asked: Sweep) -> int:
    (planned,) = make_plan(asked, Limits()).points
    return planned.cost.peak_memory_bytes


def test_a_point_that_does_not_fit_a_gpu_says_what_would_let_it() -> None:
    asked = sweep(Placement(device="cuda"))
    (planned,) = make_plan(asked, Limits()).points
    needed = planned.cost.peak_memory_bytes - planned.cost.host_bytes
    reason = reason_of(asked, Limits(device_memory_bytes=needed - 1, gpus_per_node=8))
    assert "It fits with spatial_parallel: 2 on 1 node x 2 ranks x 1 thread (cuda) (" in reason
    assert "of tensors on each rank)." in reason


def needed_of(asked: Sweep) -> int:
    (planned,) = make_plan(asked, Limits()).points
    return planned.cost.tensor_bytes(planned.point.placement.device)


def test_of_several_ways_each_is_told_with_what_it_needs() -> None:
    asked = sweep(Placement(device="cuda"), depth=4)
    limits = Limits(device_memory_bytes=needed_of(asked) - 1, gpus_per_node=8)
    again = needed_of(sweep(Placement(device="cuda"), depth=4, checkpointing="branches"))
    shared = needed_of(sweep(crew(2, "cuda"), depth=4))
    assert reason_of(asked, limits).endswith(
        f"It fits with model.checkpointing: branches ({in_bytes(again)} of tensors on each rank), or with "
        "spatial_parallel: 2 on 1 node x 2 ranks x 1 thread (cuda) "
        f"({in_bytes(shared)} of tensors on each rank)."
    )


def test_what_no_way_lets_fit_alone_two_together_may() -> None:
    both = needed_of(sweep(crew(2, "cuda"), depth=4, checkpointing="branches"))
    limits = Limits(device_memory_bytes=both, gpus_per_node=2, max_nodes=1)
    reason = reason_of(sweep(Placement(device="cuda"), depth=4), limits)
    assert "It fits with model.checkpointing: branches with spatial_parallel: 2 on 1 node x 2 ranks" in reason


def test_ranks_that_are_there_share_before_more_nodes_are_asked_for() -> None:
    asked = sweep(Placement(ranks_per_node=4, data_parallel=4), checkpointing="stages")
    room = 4 * (peak(asked) + RUNTIME_BYTES_PER_RANK)
    reason = reason_of(asked, Limits(memory_bytes_per_node=room - 1))
    assert "It fits with spatial_parallel: 2 (" in reason
    alone = sweep(Placement(), checkpointing="stages")
    apart = reason_of(alone, Limits(memory_bytes_per_node=peak(alone) + RUNTIME_BYTES_PER_RANK - 1))
    assert "It fits with spatial_parallel: 2 on 2 nodes x 1 rank x 1 thread (cpu) (" in apart


def test_what_no_change_lets_fit_says_nothing_of_any() -> None:
    assert "It fits" not in reason_of(sweep(), Limits(memory_bytes_per_node=GB // 2, max_nodes=1))


def test_waiting_batches_need_memory_of_the_host_of_a_gpu() -> None:
    asked = sweep(Placement(device="cuda"))
    (planned,) = make_plan(asked, Limits()).points
    needed = planned.cost.host_bytes + RUNTIME_BYTES_PER_RANK
    assert len(make_plan(asked, Limits(memory_bytes_per_node=needed)).points) == 1
    assert "of waiting batches" in reason_of(asked, Limits(memory_bytes_per_node=needed - 1))


def test_a_walk_shares_finer_samples_among_more_ranks_at_the_memory_of_one() -> None:
    walk = IsoWalk(
        hold="memory",
        rungs=tuple(Shape.of(resolution=side) for side in (128, 256)),
        free="spatial_parallel",
        tolerance=0.2,
    )
    placed = Placement(ranks_per_node=8, data_parallel=8)
    plan = make_plan(replace(sweep(placed), walk=walk), Limits())
    assert [planned.point.placement.spatial_parallel for planned in plan.points] == [1, 8]
    assert [planned.point.placement.data_parallel for planned in plan.points] == [8, 1]
    assert plan.points[1].labels["sharing"] == "8 ranks a sample"


def test_a_walk_over_shared_samples_gives_wider_networks_to_more_ranks() -> None:
    rungs = tuple(Shape.of(spatial_parallel=ranks) for ranks in (1, 2, 4))
    walk = IsoWalk(hold="memory", rungs=rungs, free="width")
    plan = make_plan(replace(sweep(Placement(ranks_per_node=4, data_parallel=4)), walk=walk), Limits())
    widths = [planned.point.problem.model["width"] for planned in plan.points]
    assert widths == sorted(widths, key=float)
    assert len(set(widths)) == 3
