"""Predicted peak memory of a training step against what torch's allocator counts in one."""

import json
from pathlib import Path

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from cosmology.architecture import Architecture, Checkpointing, Normalisation, Recipe
from cosmology.division import SampleDivision
from cosmology.network import build
from workloads.cosmoflow.memory import StepMemory
from workloads.execution import PLAIN, REFERENCE, Execution, Kernels
from workloads.precision import Precision

BATCH = 4
ONE = Architecture(resolution=32, channels=4, stage_channels=(32, 64, 128))
DEEP = Architecture(resolution=32, channels=4, stage_channels=(16, 32, 64), residuals_per_stage=2)
TORCH: Kernels = "torch"
OWN: Kernels = "own"
BFLOAT16 = Precision.BFLOAT16
FLOAT32 = Precision.FLOAT32


def changed(
    architecture: Architecture, *, again: Checkpointing = Checkpointing.NONE, norm: bool = False
) -> Architecture:
    return Architecture(
        resolution=architecture.resolution,
        channels=architecture.channels,
        stage_channels=architecture.stage_channels,
        residuals_per_stage=architecture.residuals_per_stage,
        checkpointing=again,
        normalisation=Normalisation.GROUP if norm else Normalisation.NONE,
    )


def allocated_at_peak(
    architecture: Architecture, precision: Precision, kernels: Kernels, folder: Path
) -> int:
    """Bytes of tensors at the peak of a second step, with weights and momentum."""
    dtype = torch.bfloat16 if precision is BFLOAT16 else torch.float32
    network = build(architecture, seed=1, recipe=Recipe.SCALED, kernels=kernels)
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch's stub leaves it out
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
    shape = (BATCH, architecture.channels, *(3 * (architecture.resolution,)))

    def step() -> None:
        grids = torch.ones(shape, dtype=dtype).contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision is BFLOAT16, cache_enabled=False):
            predicted = network(grids)
        predicted.float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    seen.export_chrome_trace(str(folder / "trace.json"))
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    changes = sorted((one["ts"], one["args"]["Bytes"]) for one in events if one.get("name") == "[memory]")
    now = peak = 0
    for _, num_bytes in changes:
        now += num_bytes
        peak = max(peak, now)
    return peak + 2 * 4 * architecture.num_parameters


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "precision", "kernels"),
    [
        (ONE, FLOAT32, TORCH),
        (ONE, BFLOAT16, TORCH),
        (ONE, FLOAT32, OWN),
        (ONE, BFLOAT16, OWN),
        (changed(ONE, norm=True), FLOAT32, OWN),
        (changed(DEEP, norm=True), FLOAT32, TORCH),
        (changed(DEEP, again=Checkpointing.STAGES), BFLOAT16, OWN),
        (changed(DEEP, again=Checkpointing.BRANCHES, norm=True), FLOAT32, TORCH),
    ],
)
def test_the_peak_is_predicted_within_15_percent(
    architecture: Architecture, precision: Precision, kernels: Kernels, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    memory = StepMemory(
        division=SampleDivision(architecture=architecture),
        batch=BATCH,
        precision=precision,
        execution=Execution(kernels=kernels),
    )
    measured = allocated_at_peak(architecture, precision, kernels, tmp_path)
    handed = BATCH * architecture.channels * architecture.resolution**3 * precision.itemsize
    predicted = memory.peak_bytes - memory.host_bytes - handed  # no loader works here
    assert measured <= predicted < 1.15 * measured


def test_what_a_step_executes_otherwise_is_counted() -> None:
    def memory(execution: Execution) -> StepMemory:
        division = SampleDivision(architecture=ONE)
        return StepMemory(division=division, batch=1, precision=FLOAT32, execution=execution)

    assert memory(Execution(graph="step")).peak_bytes > memory(PLAIN).peak_bytes
    assert memory(Execution(inputs="counts")).peak_bytes < memory(PLAIN).peak_bytes
    assert memory(Execution(optimizer="fused", threads=1)).peak_bytes == memory(PLAIN).peak_bytes


def test_convolutions_copy_what_they_read_where_channels_come_first() -> None:
    def peak(architecture: Architecture, execution: Execution) -> int:
        division = SampleDivision(architecture=architecture)
        return StepMemory(division=division, batch=BATCH, precision=FLOAT32, execution=execution).peak_bytes

    first_result = BATCH * FLOAT32.itemsize * DEEP.stage_channels[0] * DEEP.resolution**3
    assert 0 < peak(DEEP, REFERENCE) - peak(DEEP, PLAIN) <= first_result
    assert peak(ONE, REFERENCE) == peak(ONE, PLAIN)


def test_branches_that_are_computed_again_lower_the_peak_and_whole_stages_do_not() -> None:
    def peak(again: Checkpointing) -> int:
        division = SampleDivision(architecture=changed(DEEP, again=again))
        return StepMemory(division=division, batch=1, precision=FLOAT32).peak_bytes

    assert peak(Checkpointing.BRANCHES) < 0.95 * peak(Checkpointing.NONE)
    assert peak(Checkpointing.STAGES) > 0.95 * peak(Checkpointing.NONE)
