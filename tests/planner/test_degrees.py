"""Ranks that divide a model: what is planned, and what cannot be divided or does not fit."""

from dataclasses import replace

import pytest

from augment.ladder import build
from augment.problem import Problem, Shape
from saih.domain.limits import Limits
from saih.domain.point import Placement, Timing
from saih.domain.scaling import RankLadder
from saih.domain.sweep import Shortage, Sweep
from saih.planner.duration import step_s
from saih.planner.limits import RUNTIME_BYTES_PER_RANK, in_bytes
from saih.planner.plan import make_plan

WHOLE = Placement()
TENSOR = Placement(ranks_per_node=2, tensor_parallel=2)
PIPELINE = Placement(ranks_per_node=2, pipeline_parallel=2)


def sweep(*placements: Placement, workload: str = "energon", **model: int | str) -> Sweep:
    problems = {
        "energon": Problem(
            data=Shape.of(sequence=32, batches=2),
            model=Shape.of({"layers": 2, "hidden": 64, "heads": 4, **model}),
        ),
        "cosmoflow": Problem(
            data=Shape.of(samples=8, resolution=16, channels=1), model=Shape.of(depth=1, width=4)
        ),
    }
    return Sweep(
        name="tiny",
        workload=workload,
        base=problems[workload],
        ladders=(),
        batch_per_rank=2,
        precision="float32",
        exchange="none",
        placements=placements,
        timing=Timing(),
        seed=1,
    )


def test_each_placement_has_the_cost_of_its_own_ranks() -> None:
    plan = make_plan(sweep(WHOLE, TENSOR, PIPELINE), Limits())
    whole, tensor, pipeline = (planned.cost for planned in plan.points)
    assert whole.flops == pytest.approx(2 * tensor.flops) == pytest.approx(2 * pipeline.flops)
    assert (whole.num_exchanges, pipeline.num_exchanges) == (0, 1)
    assert tensor.num_exchanges > pipeline.num_exchanges
    assert [planned.labels["placement"] for planned in plan.points][1].endswith("(cpu, tensor 2)")
    assert plan.notes == ()  # nothing is said of gradients that nobody has


def test_what_cannot_be_divided_is_dropped_with_the_reason() -> None:
    plan = make_plan(sweep(WHOLE, TENSOR, PIPELINE, heads=1, layers=1), Limits())
    assert [planned.point.placement for planned in plan.points] == [WHOLE]
    heads, layers = (dropped.reason for dropped in plan.dropped)
    assert "1 heads of keys and values cannot be shared by 2 ranks" in heads
    assert "1 layers cannot make 2 stages of a pipeline" in layers


def test_a_network_that_every_rank_trains_whole_is_not_divided() -> None:
    plan = make_plan(sweep(TENSOR, PIPELINE, workload="cosmoflow"), Limits())
    assert plan.points == ()
    assert [dropped.reason.split(",")[0] for dropped in plan.dropped] == [
        "tensor_parallel is 2",
        "pipeline_parallel is 2",
    ]


def test_a_model_too_large_for_one_rank_fits_several() -> None:
    asked = sweep(WHOLE, TENSOR, layers=24, hidden=1024, heads=16)
    alone = make_plan(asked, Limits()).points[0].cost.peak_memory_bytes
    # On two nodes each rank has its own memory.
    spread = Placement(nodes=2, tensor_parallel=2)
    plan = make_plan(
        sweep(WHOLE, spread, layers=24, hidden=1024, heads=16),
        Limits(memory_bytes_per_node=int(0.7 * alone) + 400_000_000),
    )
    assert [planned.point.placement for planned in plan.points] == [spread]
    (dropped,) = plan.dropped
    assert dropped.shortage is not None
    assert dropped.tensor_bytes == alone


def test_the_ladder_is_planned_beyond_what_fits() -> None:
    names = ["gpt2-124m", "opt-13b", "opt-175b"]
    base = Problem(data=Shape.of(sequence=128), model=Shape.of(name=names[0]))
    asked = sweep(WHOLE)
    climbing = Sweep(
        **{
            **{name: getattr(asked, name) for name in asked.__dataclass_fields__},
            "base": base,
            "ladders": (build("model", {"name": names}, "zip"),),
        }
    )
    plan = make_plan(climbing, Limits(memory_bytes_per_node=24 * 10**9))
    assert [planned.labels["model"] for planned in plan.points] == ["gpt2-124m"]
    assert [dropped.labels["model"] for dropped in plan.dropped] == names[1:]
    assert plan.dropped[1].tensor_bytes is not None
    assert plan.dropped[1].tensor_bytes > 4 * 174e9


def test_ranks_that_divide_a_model_further_are_rungs_of_one_batch() -> None:
    asked = replace(
        sweep(Placement(ranks_per_node=4, data_parallel=4)),
        rank_ladder=RankLadder(scaling="strong", ranks=(1, 2, 4), grows="tensor"),
    )
    plan = make_plan(asked, Limits())
    assert [planned.point.placement.tensor_parallel for planned in plan.points] == [1, 2, 4]
    assert {planned.point.batch_per_rank for planned in plan.points} == {2}
    assert {planned.cost.samples_per_step for planned in plan.points} == {4}
    assert [planned.labels["ranks"] for planned in plan.points] == ["1 rank", "2 ranks", "4 ranks"]


def test_generating_in_a_pipeline_takes_as_long_as_one_stage_after_the_other() -> None:
    def planned_s(placement: Placement, batches: int, new_tokens: int) -> float:
        asked = sweep(placement, layers=8, hidden=256, heads=4, vocab=16)
        data = Shape.of(sequence=32, batches=batches, new_tokens=new_tokens)
        (planned,) = make_plan(replace(asked, base=replace(asked.base, data=data)), Limits()).points
        return step_s(planned.point, planned.cost)

    four = Placement(ranks_per_node=4, pipeline_parallel=4)
    # One pass is in one stage at a time: three of four ranks wait, and messages come on top.
    assert 1.0 < planned_s(four, 1, 64) / planned_s(WHOLE, 1, 64) < 2.5
    assert 1.0 < planned_s(four, 1, 0) / planned_s(WHOLE, 1, 0) < 2.5
    # Passes for every stage keep all of them busy.
    assert planned_s(four, 32, 16) / planned_s(WHOLE, 32, 16) < 0.5
    assert planned_s(PIPELINE, 32, 16) < planned_s(TENSOR, 32, 16)  # whose ranks sum twice in every layer


def test_parked_layers_need_room_on_the_disk() -> None:
    asked = sweep(PIPELINE, layers=8, hidden=256, heads=4, parked=3)
    cost = make_plan(asked, Limits()).points[0].cost
    assert cost.parked_bytes > 3 * 4 * 12 * 256**2
    needed = 2 * cost.parked_bytes
    plan = make_plan(asked, Limits(disk_bytes=needed))
    assert (len(plan.points), plan.parked_bytes) == (1, needed)
    (dropped,) = make_plan(asked, Limits(disk_bytes=needed - 1)).dropped
    assert f"the layers that its 2 ranks park take {in_bytes(needed)} in files" in dropped.reason
    assert "park fewer layers" in dropped.reason
    assert dropped.shortage == Shortage(of="disk", needed_bytes=needed, available_bytes=needed - 1)


def test_layers_that_gpus_park_need_memory_of_their_host_and_no_disk() -> None:
    gpus = Placement(ranks_per_node=2, pipeline_parallel=2, device="cuda")
    asked = sweep(gpus, layers=8, hidden=256, heads=4, parked=3)
    parked = make_plan(asked, Limits()).points[0].cost.parked_bytes
    needed = 2 * (parked + RUNTIME_BYTES_PER_RANK)
    assert len(make_plan(asked, Limits(memory_bytes_per_node=needed, disk_bytes=0)).points) == 1
    (dropped,) = make_plan(asked, Limits(memory_bytes_per_node=needed - 1)).dropped
    assert "of parked layers" in dropped.reason
    assert dropped.shortage == Shortage(
        of="memory of a node", needed_bytes=needed, available_bytes=needed - 1
    )
    resident = sweep(gpus, layers=8, hidden=256, heads=4)
    assert len(make_plan(resident, Limits(memory_bytes_per_node=1)).points) == 1
