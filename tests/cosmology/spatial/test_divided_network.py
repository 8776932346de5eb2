"""Ranks that share samples find what one device finds, and need as much less memory."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.forked_ranks import on_ranks
from cosmology.architecture import Architecture
from cosmology.division import SampleDivision
from tests.cosmology.spatial.spatial_work import (
    AGAIN,
    BATCH,
    DEEP,
    PLAIN,
    TALL,
    Case,
    Deviation,
    deviations,
    kept_bytes,
    replicas_of_two,
)
from workloads.cosmoflow.exchanges import step_exchanges
from workloads.precision import Precision

pytestmark = pytest.mark.slow
FIRST = torch.contiguous_format
EXACT = [
    Case(architecture=PLAIN),
    Case(architecture=DEEP, layout=FIRST),
    Case(architecture=AGAIN),
    Case(architecture=TALL),
]
"""In float64: equal to one device to the last digits."""
ROUNDED = [
    Case(architecture=TALL, dtype=torch.float32, kernels="own"),
    Case(architecture=replace(DEEP, residuals_per_stage=0), dtype=torch.float32, kernels="own"),
    Case(architecture=TALL, dtype=torch.float32, is_cast=True),
]
LIMITS = [1e-4, 1e-4, 0.05]


@pytest.mark.parametrize("num_ranks", [2, 4])
def test_outputs_loss_and_gradients_are_those_of_one_device(num_ranks: int, tmp_path: Path) -> None:
    by_rank: list[list[Deviation]] = on_ranks(num_ranks, tmp_path, deviations, [*EXACT, *ROUNDED])
    for rank, found in enumerate(by_rank):
        for case, limit, off in zip([*EXACT, *ROUNDED], [1e-10] * len(EXACT) + LIMITS, found, strict=True):
            assert max(off.outputs, off.loss, off.gradients) < limit, (rank, case, off)


def test_ranks_with_two_planes_each_share_one_stage_and_go_on_alike(tmp_path: Path) -> None:
    by_rank: list[list[Deviation]] = on_ranks(8, tmp_path, deviations, EXACT[:3])
    assert SampleDivision(architecture=PLAIN, num_ranks=8).num_divided_stages == 1
    for off in (off for found in by_rank for off in found):
        assert max(off.outputs, off.loss, off.gradients) < 1e-10


def test_two_replicas_of_two_ranks_have_the_mean_gradients_of_one_device(tmp_path: Path) -> None:
    for loss, gradient in on_ranks(4, tmp_path, replicas_of_two, Case(architecture=AGAIN)):
        assert loss < 1e-10
        assert gradient < 1e-10


@pytest.mark.parametrize("architecture", [TALL, replace(AGAIN, resolution=32, stage_channels=(4, 8, 16))])
def test_ranks_send_what_the_formula_says(architecture: Architecture, tmp_path: Path) -> None:
    cases = [Case(architecture=architecture, dtype=torch.float32)]
    found = [each[0] for each in on_ranks(4, tmp_path, deviations, cases)]
    division = SampleDivision(architecture=architecture, num_ranks=4)
    due = step_exchanges(division, BATCH, Precision.FLOAT32)
    assert {off.num_exchanges for off in found} == {due.num_exchanges}
    assert sum(off.num_bytes for off in found) / 4 == due.num_bytes


@pytest.mark.parametrize("num_ranks", [2, 4])
def test_what_a_rank_keeps_for_the_backward_pass_falls_as_one_over_the_ranks(
    num_ranks: int, tmp_path: Path
) -> None:
    architecture = replace(TALL, resolution=64, channels=4, stage_channels=(4, 8, 16, 32))
    for whole, slab in on_ranks(num_ranks, tmp_path, kept_bytes, architecture):
        assert whole / num_ranks < slab < 1.15 * whole / num_ranks
