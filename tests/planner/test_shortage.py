from augment.ladder import Ladder
from augment.problem import Problem, Shape
from saih.domain.limits import Limits
from saih.domain.point import Placement, Timing
from saih.domain.sweep import Shortage, Sweep
from saih.planner.limits import RUNTIME_BYTES_PER_RANK
from saih.planner.plan import make_plan


def sweep_on(placement: Placement) -> Sweep:
    return Sweep(
        name="edge",
        workload="cosmoflow",
        base=Problem(data=Shape.of(samples=8, resolution=16, channels=4), model=Shape.of(width=32, depth=1)),
        ladders=(Ladder(axis="data", rungs=(Shape.of(resolution=64), Shape.of(resolution=3))),),
        batch_per_rank=1,
        precision="float32",
        exchange="none",
        placements=(placement,),
        timing=Timing(),
        seed=1,
    )


def test_a_point_without_memory_says_what_it_needs_and_what_is_there() -> None:
    two = Placement(ranks_per_node=2, data_parallel=2)
    first, _ = make_plan(sweep_on(two), Limits(memory_bytes_per_node=10**9)).dropped
    assert first.tensor_bytes is not None
    needed = 2 * (first.tensor_bytes + RUNTIME_BYTES_PER_RANK)
    assert first.shortage == Shortage(of="memory of a node", needed_bytes=needed, available_bytes=10**9)
    on_gpu, _ = make_plan(sweep_on(Placement(device="cuda")), Limits(device_memory_bytes=10**6)).dropped
    assert on_gpu.shortage is not None
    assert (on_gpu.shortage.of, on_gpu.shortage.needed_bytes) == ("memory of a GPU", on_gpu.tensor_bytes)


def test_a_data_set_without_room_says_what_it_needs_and_what_is_there() -> None:
    first, _ = make_plan(sweep_on(Placement()), Limits(disk_bytes=1000)).dropped
    assert first.shortage is not None
    assert (first.shortage.of, first.shortage.available_bytes) == ("disk", 1000)
    assert first.shortage.needed_bytes > 1000


def test_a_problem_that_cannot_exist_has_no_bytes() -> None:
    (dropped,) = make_plan(sweep_on(Placement()), Limits()).dropped
    assert (dropped.tensor_bytes, dropped.shortage) == (None, None)
