import os
import random
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from augment.problem import Problem, ProblemError, Shape
from cosmology.architecture import Architecture
from cosmology.division import SampleDivision
from cosmology.network import Network, build
from saih.machine.rank_settings import HUGE_PAGES, allocator
from workloads.cosmoflow.cost import CosmoFlow
from workloads.cosmoflow.memory import StepMemory
from workloads.cosmoflow.shapes import CosmoFlowShape
from workloads.execution import Execution, Kernels
from workloads.precision import Precision
from workloads.protocol import Cost, OpKind

ROOT = Path(__file__).parents[2]
COSMOFLOW = CosmoFlow()
SIZES = {
    "samples": st.integers(1, 4096),
    "resolution": st.sampled_from([8, 16, 32, 64, 128, 256]),
    "channels": st.integers(1, 4),
    "depth": st.integers(1, 5),
    "width": st.integers(1, 64),
}
PROBLEMS = st.fixed_dictionaries(SIZES)


def problem(*, depth: int, width: int, options: dict[str, str] | None = None, **data: float | str) -> Problem:
    return Problem(data=Shape.of(data), model=Shape.of({**(options or {}), "depth": depth, "width": width}))


REFERENCE = problem(samples=8, resolution=128, channels=4, depth=1, width=32)


def cost_of(point: Problem, batch: int = 1, precision: str = "float32") -> Cost:
    return COSMOFLOW.cost(point, batch_per_rank=batch, precision=precision)


def random_members(
    count: int, seed: int, sides: tuple[int, ...], least_batch: int = 1
) -> list[tuple[Problem, int]]:
    """Members of the family, each with a batch."""
    draw = random.Random(seed)
    return [
        (
            problem(
                samples=8,
                resolution=draw.choice(sides),
                channels=draw.randint(1, 4),
                depth=draw.randint(1, 4),
                width=draw.randint(1, 40),
                options={
                    "normalisation": draw.choice(("none", "group")),
                    "checkpointing": draw.choice(("none", "stages", "branches")),
                },
            ),
            draw.randint(least_batch, least_batch + 4),
        )
        for _ in range(count)
    ]


def meta_run(point: Problem, batch: int) -> tuple[int, dict[str, int], dict[str, int]]:
    """Parameters, and FLOPs by operator of forward and of backward, as torch counts them."""
    architecture = CosmoFlowShape.from_problem(point).architecture()
    with torch.device("meta"):
        network = Network(architecture)
        x = torch.empty(batch, architecture.channels, *(3 * (architecture.resolution,)))
    num_parameters = sum(parameter.numel() for parameter in network.parameters())
    forward, backward = FlopCounterMode(display=False), FlopCounterMode(display=False)
    with forward:
        loss = network(x).square().mean()
    with backward:
        loss.backward()
    return num_parameters, by_operator(forward), by_operator(backward)


def by_operator(counter: FlopCounterMode) -> dict[str, int]:
    return {str(operator): flops for operator, flops in counter.get_flop_counts()["Global"].items()}


def flops_of(cost: Cost, phase: str, kind: OpKind) -> int:
    return sum(
        operation.flops
        for operation in cost.operations
        if operation.phase == phase and operation.kind is kind
    )


def test_the_reference_sample_costs_192_09078528_gflop() -> None:
    cost = cost_of(REFERENCE)
    assert cost.flops == 192_090_785_280
    assert cost.num_parameters == 8_907_556
    assert cost.gradient_bytes == 35_630_224
    assert cost.input_bytes == 16_777_216
    assert flops_of(cost, "forward", OpKind.CONVOLUTION) == 68_853_694_464
    assert flops_of(cost, "backward", OpKind.CONVOLUTION) == 123_211_874_304
    assert flops_of(cost, "forward", OpKind.MATMUL) == 8_405_504
    assert flops_of(cost, "backward", OpKind.MATMUL) == 2 * 8_405_504


@pytest.mark.parametrize(
    ("resolution", "gflop", "million_parameters"),
    [(32, 2.5, 1.34), (64, 22.7, 3.27), (256, 1558, 16.0), (512, 12488, 23.1), (1024, 99925, 30.1)],
)
def test_the_family_at_width_32_costs_what_was_published(
    resolution: int, gflop: float, million_parameters: float
) -> None:
    channels = 1 if resolution == 1024 else 4
    cost = cost_of(problem(samples=1, resolution=resolution, channels=channels, depth=1, width=32))
    fewer_channels = 2 * 2 * 27 * (4 - channels) * 32 * resolution**3  # forward and weight gradient
    assert (cost.flops + fewer_channels) / 1e9 == pytest.approx(gflop, rel=0.02)
    assert cost.num_parameters / 1e6 == pytest.approx(million_parameters, rel=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_flops_and_parameters_are_those_that_torch_counts(seed: int) -> None:
    for point, batch in random_members(12, seed, (8, 16, 32, 64, 128, 256)):
        cost = cost_of(point, batch)
        num_parameters, forward, backward = meta_run(point, batch)
        assert cost.num_parameters == num_parameters
        assert flops_of(cost, "forward", OpKind.CONVOLUTION) == forward["aten.convolution"]
        assert flops_of(cost, "forward", OpKind.MATMUL) == forward["aten.addmm"]
        again = backward.get("aten.convolution", 0)
        assert flops_of(cost, "backward", OpKind.CONVOLUTION) == backward["aten.convolution_backward"] + again
        assert flops_of(cost, "backward", OpKind.MATMUL) == backward["aten.mm"]
        assert cost.flops == sum(forward.values()) + sum(backward.values())


def saved_bytes(
    architecture: Architecture, batch: int, precision: Precision, kernels: Kernels = "torch"
) -> int:
    division = SampleDivision(architecture=architecture)
    execution = Execution(kernels=kernels)
    memory = StepMemory(division=division, batch=batch, precision=precision, execution=execution)
    return memory.saved_activation_bytes


def kept_bytes(network: Network, x: Tensor, precision: AbstractContextManager[object]) -> int:
    """Bytes of the storages that a forward pass keeps, its weights (and their cast copies) left out.

    Weights are told by their shape, so the batch must be no size of theirs.
    """
    weights = {(*parameter.shape,) for parameter in network.parameters()}
    weights |= {(*reversed(shape),) for shape in weights if len(shape) == 2}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if (*tensor.shape,) not in weights:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with precision, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        assert network(x).requires_grad
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def test_activations_kept_for_backward_are_those_that_torch_keeps() -> None:
    for point, batch in random_members(30, 17, (8, 16, 32, 64, 128), least_batch=5):
        architecture = CosmoFlowShape.from_problem(point).architecture()
        with torch.device("meta"):
            network = Network(architecture)
            x = torch.empty(batch, architecture.channels, *(3 * (architecture.resolution,)))
        expected = saved_bytes(architecture, batch, Precision.FLOAT32)
        assert kept_bytes(network, x, nullcontext()) == expected


@pytest.mark.parametrize("kernels", get_args(Kernels))
def test_half_precision_keeps_what_was_computed_to_the_byte(kernels: Kernels) -> None:
    torch.set_num_threads(1)
    for point, batch in random_members(10, 18, (8, 16), least_batch=5):
        architecture = CosmoFlowShape.from_problem(point).architecture()
        network = build(architecture, seed=1, recipe=architecture.recipe, kernels=kernels)
        network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch's stub leaves it out
        shape = (batch, architecture.channels, *(3 * (architecture.resolution,)))
        x = torch.zeros(shape, dtype=torch.bfloat16).to(memory_format=torch.channels_last_3d)
        expected = saved_bytes(architecture, batch, Precision.BFLOAT16, kernels)
        assert kept_bytes(network, x, torch.autocast("cpu", torch.bfloat16)) == expected


MEASURE_PEAK = """
import re, resource, torch
from augment.problem import Problem, Shape
from cosmology.network import build
from workloads.cosmoflow.shapes import CosmoFlowShape
torch.set_num_threads(1)
def steps(resolution, depth, batch, options={}):
    data = Shape.of(samples=8, resolution=resolution, channels=4)
    problem = Problem(data=data, model=Shape.of(options, width=16, depth=depth))
    architecture = CosmoFlowShape.from_problem(problem).architecture()
    network = build(architecture, seed=1, recipe=architecture.recipe)
    network.to(memory_format=torch.channels_last_3d)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        grids = torch.randn(batch, 4, *(3 * (resolution,))).to(memory_format=torch.channels_last_3d)
        network(grids).square().mean().backward()
        optimizer.step()
steps(8, DEPTH, 1)
with open("/proc/self/statm") as file:
    resident_before = int(file.read().split()[1]) * resource.getpagesize()
steps(64, DEPTH, 4, OPTIONS)
# Not ru_maxrss: it begins at the size of the process that started this one.
with open("/proc/self/status") as file:
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", file.read()).group(1)) * 1024
print(peak - resident_before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "options"), [(1, {}), (2, {}), (3, {"checkpointing": "stages"})])
def test_the_peak_estimate_is_near_what_a_step_makes_resident(depth: int, options: dict[str, str]) -> None:
    program = MEASURE_PEAK.replace("DEPTH", str(depth)).replace("OPTIONS", repr(options))
    command = [sys.executable, "-c", program]
    settings = {**os.environ, **allocator()}
    ran = subprocess.run(command, cwd=ROOT, env=settings, check=True, capture_output=True, text=True)
    point = problem(samples=8, resolution=64, channels=4, depth=depth, width=16, options=options)
    estimate = cost_of(point, 4).peak_memory_bytes
    # An allocator leaves holes, for which a rank is given room besides; without huge pages they are large.
    least = 0.7 if allocator() == HUGE_PAGES else 0.45
    assert least < estimate / int(ran.stdout) < 1.3


@given(PROBLEMS, st.integers(1, 8), st.sampled_from(["float32", "bfloat16"]), st.data())
def test_every_size_that_grows_makes_its_axis_and_no_cost_smaller(
    sizes: dict[str, int], batch: int, precision: str, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(SIZES)))
    larger = data.draw(SIZES[name].filter(lambda size: size != sizes[name]))
    small, large = sorted((sizes[name], larger))
    before = cost_of(problem(**{**sizes, name: small}), batch, precision)
    after = cost_of(problem(**{**sizes, name: large}), batch, precision)
    axis = "data" if name in COSMOFLOW.axes[0].sizes else "model"
    assert after.axis_sizes[axis] > before.axis_sizes[axis]
    assert after.flops >= before.flops
    assert after.num_parameters >= before.num_parameters
    assert after.peak_memory_bytes >= before.peak_memory_bytes
    assert after.dataset_bytes >= before.dataset_bytes
    if name not in {"samples", "channels"}:
        assert after.flops > before.flops


@given(PROBLEMS, st.integers(1, 8))
def test_flops_of_a_sample_do_not_depend_on_its_batch(sizes: dict[str, int], batch: int) -> None:
    point = problem(**sizes)
    assert cost_of(point, batch).flops_per_sample == cost_of(point, 1).flops
    assert cost_of(point, batch).axis_sizes == cost_of(point, 1).axis_sizes


@given(PROBLEMS)
def test_operations_are_whole_and_half_precision_moves_the_same_flops(sizes: dict[str, int]) -> None:
    full, half = cost_of(problem(**sizes), 2), cost_of(problem(**sizes), 2, "bfloat16")
    assert full.flops == half.flops
    assert full.gradient_bytes == half.gradient_bytes
    for operation in (*full.operations, *half.operations):
        assert operation.memory_bytes > 0
        assert operation.num_kernels >= 1
        assert (operation.flops == 0) == (operation.kind is OpKind.ELEMENTWISE)
    assert len({operation.name for operation in full.operations}) == len(full.operations)
    assert {operation.phase for operation in full.operations} == {"forward", "backward", "optimizer"}


@given(PROBLEMS)
def test_a_rung_is_described_by_its_own_sizes(sizes: dict[str, int]) -> None:
    point = problem(**sizes)
    data = f"{sizes['resolution']}^3 x {sizes['channels']}, {sizes['samples']} samples"
    assert COSMOFLOW.describe(point, "data") == data
    assert COSMOFLOW.describe(point, "model") == f"width {sizes['width']}, depth {sizes['depth']}"


def test_given_universes_are_described() -> None:
    point = problem(samples=64, universes=16, resolution=32, channels=4, depth=1, width=8)
    assert COSMOFLOW.describe(point, "data") == "32^3 x 4, 64 samples of 16 universes"


def test_an_unknown_axis_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProblemError, match="axis 'time' is unknown to cosmoflow; its axes are data, model"):
        COSMOFLOW.describe(REFERENCE, "time")


def test_an_unknown_precision_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProblemError, match="'fp8' is unknown; use float32, tf32, bfloat16, float16"):
        cost_of(REFERENCE, precision="fp8")


def test_a_step_without_samples_is_refused() -> None:
    with pytest.raises(ProblemError, match="batch_per_rank is 0"):
        cost_of(REFERENCE, batch=0)


@given(PROBLEMS, st.integers(1, 8))
def test_checkpointing_trades_the_forward_pass_of_stages_for_what_they_keep(
    sizes: dict[str, int], batch: int
) -> None:
    plain = cost_of(problem(**sizes), batch)
    again = cost_of(problem(**sizes, options={"checkpointing": "stages"}), batch)
    assert again.flops - plain.flops == flops_of(plain, "forward", OpKind.CONVOLUTION)
    assert again.flops_of("forward") == plain.flops_of("forward")
    assert again.peak_memory_bytes <= plain.peak_memory_bytes
    assert again.num_parameters == plain.num_parameters


@given(PROBLEMS)
def test_group_norm_adds_two_parameters_for_each_channel_and_no_flops(sizes: dict[str, int]) -> None:
    plain = cost_of(problem(**sizes))
    normed = cost_of(problem(**sizes, options={"normalisation": "group"}))
    shape = CosmoFlowShape.from_problem(problem(**sizes))
    channels = sum(layer.out_channels for layer in shape.architecture().convolutions)
    assert normed.num_parameters - plain.num_parameters == 2 * channels
    assert normed.flops == plain.flops
    assert normed.peak_memory_bytes > plain.peak_memory_bytes


def test_a_data_set_tells_what_making_it_takes() -> None:
    cost = cost_of(problem(samples=64, universes=8, resolution=32, channels=4, depth=1, width=8))
    definition = CosmoFlowShape.from_problem(
        problem(samples=64, universes=8, resolution=32, channels=4, depth=1, width=8)
    ).definition
    assert cost.dataset_work.startswith(f"8 universes of {definition.simulation_side}^3 particles x ")
    assert "particle-steps/s of a core" in cost.dataset_work
    assert cost.dataset_disk_bytes == definition.disk_bytes
