"""What ranks that share every sample compute, exchange and keep, by formula."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.problem import Problem, ProblemError, Shape
from workloads.cosmoflow.cost import CosmoFlow
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.execution import NAMED, PLAIN, Execution
from workloads.protocol import UNDIVIDED, Cost, Degrees, OpKind

COSMOFLOW = CosmoFlow()
CREWS = st.sampled_from([2, 4, 8, 16])
SIZES = {
    "resolution": st.sampled_from([32, 64, 128, 512]),
    "depth": st.integers(1, 3),
    "width": st.integers(1, 32),
    "normalisation": st.sampled_from(["none", "group"]),
    "checkpointing": st.sampled_from(["none", "stages", "branches"]),
}
PRECISIONS = st.sampled_from(["float32", "bfloat16"])


def problem(resolution: int, depth: int = 1, width: int = 32, **options: str) -> Problem:
    data = Shape.of(samples=64, resolution=resolution, channels=4)
    return Problem(data=data, model=Shape.of({**options, "depth": depth, "width": width}))


def cost_of(
    asked: Problem,
    ranks: int = 1,
    batch: int = 1,
    precision: str = "float32",
    execution: Execution = PLAIN,
) -> Cost:
    degrees = Degrees(spatial_parallel=ranks)
    return COSMOFLOW.cost(
        asked, batch_per_rank=batch, precision=precision, degrees=degrees, execution=execution
    )


@given(st.builds(problem, **SIZES), CREWS, PRECISIONS)
def test_sharing_changes_who_works_and_not_what_is_learnt(asked: Problem, ranks: int, precision: str) -> None:
    whole, shared = cost_of(asked, 1, 2, precision), cost_of(asked, ranks, 2, precision)
    assert shared.axis_sizes == whole.axis_sizes
    assert shared.num_parameters == whole.num_parameters
    assert shared.gradient_bytes == whole.gradient_bytes
    assert shared.samples_per_step == whole.samples_per_step
    assert shared.dataset_bytes == whole.dataset_bytes
    assert ranks * shared.input_bytes == whole.input_bytes
    assert shared.ranks_per_replica == ranks
    assert (whole.num_exchanges, whole.exchanged_bytes) == (0, 0)


@given(st.builds(problem, **SIZES), CREWS)
def test_divided_convolutions_are_shared_evenly_and_the_rest_is_done_by_all(
    asked: Problem, ranks: int
) -> None:
    whole, shared = cost_of(asked, 1, 2), cost_of(asked, ranks, 2)
    side = CosmoFlowShape.from_problem(asked).resolution
    for before, after in zip(whole.operations, shared.operations, strict=True):
        assert before.name == after.name
        if before.kind is not OpKind.CONVOLUTION:
            continue
        stage = int(before.name.split()[1]) - 1
        is_divided = (side >> stage) >= 2 * ranks
        assert after.flops * (ranks if is_divided else 1) == before.flops
    assert whole.flops <= shared.flops * ranks < ranks * whole.flops


def test_two_ranks_of_the_reference_send_the_planes_that_touch_and_one_gather() -> None:
    cost = cost_of(problem(128), ranks=2)
    inputs = ((128, 4), (64, 32), (32, 64), (16, 128), (8, 256))
    planes = [side**2 * channels * 4 for side, channels in inputs]
    gathered = 4**3 * 512 * 4 // 2
    assert cost.exchanged_bytes == 2 * sum(planes) - planes[0] + gathered
    assert cost.num_exchanges == 5 + 4 + 1


def test_ranks_between_two_neighbours_send_two_planes() -> None:
    two, four = cost_of(problem(128), ranks=2), cost_of(problem(128), ranks=4)
    gathered = 4**3 * 512 * 4
    halos = two.exchanged_bytes - gathered // 2
    assert four.exchanged_bytes - gathered // 4 == pytest.approx(halos * (2 * 3 / 4))
    assert four.num_exchanges == two.num_exchanges


@given(st.integers(1, 3), st.integers(8, 32), CREWS)
def test_what_is_computed_again_is_exchanged_again(depth: int, width: int, ranks: int) -> None:
    kept = cost_of(problem(128, depth, width, normalisation="group"), ranks)
    again = cost_of(problem(128, depth, width, normalisation="group", checkpointing="stages"), ranks)
    num_divided = {2: 5, 4: 5, 8: 4, 16: 3}[ranks]
    assert again.num_exchanges - kept.num_exchanges == 2 * depth * num_divided
    assert again.exchanged_bytes > kept.exchanged_bytes


@given(st.integers(1, 3), st.integers(1, 32), st.sampled_from([2, 4, 8]), PRECISIONS)
def test_a_rank_of_a_crew_keeps_its_share_of_a_large_sample(
    depth: int, width: int, ranks: int, precision: str
) -> None:
    asked = problem(512, depth, width)
    states = 3 * 4 + (2 if precision == "bfloat16" else 0)
    whole, shared = cost_of(asked, 1, 1, precision), cost_of(asked, ranks, 1, precision)
    constant = states * whole.num_parameters
    share = (shared.peak_memory_bytes - constant) / (whole.peak_memory_bytes - constant)
    assert 0.999 / ranks < share < 1.15 / ranks


@pytest.mark.parametrize(
    ("degrees", "told"),
    [
        (Degrees(spatial_parallel=3), "spatial_parallel is 3: 3 ranks cannot share 32 planes evenly"),
        (Degrees(spatial_parallel=32), "spatial_parallel is 32: 32 ranks cannot share 32 planes"),
        (Degrees(tensor_parallel=2), "tensor_parallel is 2, .* spatial_parallel lets ranks share"),
    ],
)
def test_ranks_that_cannot_share_are_refused_by_name(degrees: Degrees, told: str) -> None:
    with pytest.raises(ProblemError, match=told):
        COSMOFLOW.cost(problem(32), batch_per_rank=1, precision="float32", degrees=degrees)


def test_no_more_ranks_can_share_a_sample_than_half_its_planes() -> None:
    assert cost_of(problem(64)).most_degrees == Degrees(spatial_parallel=32)


@pytest.mark.parametrize("execution", NAMED.values())
def test_an_execution_changes_memory_alone(execution: Execution) -> None:
    plain = cost_of(problem(64), precision="bfloat16")
    other = cost_of(problem(64), precision="bfloat16", execution=execution)
    precision = execution.precision or "bfloat16"
    assert other == replace(
        cost_of(problem(64), precision=precision),
        peak_memory_bytes=other.peak_memory_bytes,
        host_bytes=other.host_bytes,
    )
    assert other.flops == plain.flops


def test_own_kernels_and_counts_need_less_and_a_recorded_step_more() -> None:
    def peak(**settings: str) -> int:
        execution = replace(PLAIN, **settings)  # type: ignore[arg-type]  # words of the test
        return cost_of(problem(128), execution=execution).peak_memory_bytes

    first_stage = 4 * 32 * 128**3
    assert peak() - peak(kernels="own") > 1.9 * first_stage  # two of three tensors of this size
    assert peak(inputs="counts") < peak()
    assert peak(graph="step") - peak() == 4 * 4 * 128**3


def test_a_gpu_leaves_waiting_batches_to_its_host() -> None:
    voxels = 4 * 128**3
    assert cost_of(problem(128)).host_bytes == voxels * (2 * 4 + 2 + 4)
    assert cost_of(problem(128), precision="bfloat16").host_bytes == voxels * (2 * 2 + 2 + 4)
    counts = replace(PLAIN, inputs="counts")
    assert cost_of(problem(128), execution=counts).host_bytes == voxels * 2 * 2


def test_savings_begin_with_the_least_change_and_combine_last() -> None:
    found = COSMOFLOW.savings(problem(16, 2))
    assert [saving.words for saving in found] == [
        "model.checkpointing: branches",
        *(f"spatial_parallel: {ranks}" for ranks in (2, 4, 8)),
        *(f"model.checkpointing: branches with spatial_parallel: {ranks}" for ranks in (2, 4, 8)),
    ]
    assert [saving.is_combined for saving in found] == [False] * 4 + [True] * 3
    asked = problem(16, 2, checkpointing="branches")
    divided = COSMOFLOW.savings(asked, degrees=Degrees(spatial_parallel=4))
    assert [saving.words for saving in divided] == ["spatial_parallel: 8"]
    assert UNDIVIDED not in {saving.degrees for saving in divided}
    alone = COSMOFLOW.savings(problem(16))  # without residual branches there is none to compute again
    assert [saving.words for saving in alone] == [f"spatial_parallel: {ranks}" for ranks in (2, 4, 8)]
