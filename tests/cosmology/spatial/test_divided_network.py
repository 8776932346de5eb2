"""Ranks that share samples find what one device finds, and need as much less memory."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.forked_ranks import on_ranks
from cosmology.architecture import Checkpointing
from cosmology.division import SampleDivision
from tests.cosmology.spatial.spatial_work import (
    AGAIN,
    BATCH,
    BRANCHES_AGAIN,
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
    Case(architecture=BRANCHES_AGAIN),
    Case(architecture=TALL),
    Case(architecture=replace(TALL, checkpointing=Checkpointing.BRANCHES)),
]
"""In float64: equal to one device to the last digits."""
ROUNDED = [
    Case(architecture=TALL, dtype=torch.float32, kernels="own"),
    Case(architecture=replace(DEEP, residuals_per_stage=0), dtype=torch.float32, kernels="own"),
    Case(architecture=TALL, dtype=torch.float32, is_cast=True),
]
LIMITS = [1e-4, 1e-4, 0.2]
"""Which voxel of a pooling is the largest depends on the last digit: one device's gradients in bfloat16 are
0.16 from those in float32 here."""


@pytest.mark.parametrize("num_ranks", [2, 4])
def test_ranks_find_what_one_device_finds_and_send_what_the_formula_says(
    num_ranks: int, tmp_path: Path
) -> None:
    cases, limits = [*EXACT, *ROUNDED], [1e-10] * len(EXACT) + LIMITS
    by_rank: list[list[Deviation]] = on_ranks(num_ranks, tmp_path, deviations, cases)
    for case, limit, *ranks in zip(cases, limits, *by_rank, strict=True):
        assert all(max(off.outputs, off.loss, off.gradients) < limit for off in ranks), (case, ranks)
        check_messages(case, ranks)


def check_messages(case: Case, ranks: list[Deviation]) -> None:
    """The mean rank brings what the formula says, which knows numbers of 2 and 4 bytes."""
    division = SampleDivision(architecture=case.architecture, num_ranks=len(ranks))
    precision = Precision.BFLOAT16 if case.is_cast else Precision.FLOAT32
    due = step_exchanges(division, BATCH, precision)
    assert {off.num_exchanges for off in ranks} == {due.num_exchanges}
    times = 2 if case.dtype is torch.float64 else 1
    assert sum(off.num_bytes for off in ranks) / len(ranks) == times * due.num_bytes


def test_ranks_with_two_planes_each_share_one_stage_and_go_on_alike(tmp_path: Path) -> None:
    by_rank: list[list[Deviation]] = on_ranks(8, tmp_path, deviations, EXACT[:2])
    assert SampleDivision(architecture=PLAIN, num_ranks=8).num_divided_stages == 1
    for off in (off for found in by_rank for off in found):
        assert max(off.outputs, off.loss, off.gradients) < 1e-10


def test_two_replicas_of_two_ranks_have_the_mean_gradients_of_one_device(tmp_path: Path) -> None:
    for loss, gradient in on_ranks(4, tmp_path, replicas_of_two, Case(architecture=AGAIN)):
        assert loss < 1e-10
        assert gradient < 1e-10


def test_what_a_rank_keeps_for_the_backward_pass_falls_as_one_over_the_ranks(tmp_path: Path) -> None:
    architecture = replace(TALL, resolution=64, channels=4, stage_channels=(4, 8, 16, 32))
    for whole, slab in on_ranks(4, tmp_path, kept_bytes, architecture):
        assert whole / 4 < slab < 1.15 * whole / 4
