"""Executions on ranks that exchange gradients, started as the product starts them."""

from pathlib import Path

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Outcome, Record
from saih.domain.supply import Supply
from tests.workloads.job_by_hand import measured
from workloads.execution import PLAIN, REFERENCE, Execution
from workloads.tuning import LOSS_BOUNDS

pytestmark = pytest.mark.slow
GLOBAL_BATCH, NUM_STEPS = 8, 6
OWN = Execution(name="given", kernels="own", optimizer="fused", inputs="counts", bucket_mib=1)
ROUNDED = Execution(name="given", precision="bfloat16", layout="channels_first", optimizer="loop")
RECORDED = Execution(name="given", graph="step")


def records(folder: Path, num_ranks: int, *executions: Execution) -> list[Record]:
    placement = Placement(ranks_per_node=num_ranks, data_parallel=num_ranks)
    points = tuple(
        Point(
            workload="cosmoflow",
            problem=Problem(
                data=Shape.of(samples=16, resolution=8, channels=2, universes=2),
                model=Shape.of(depth=2, width=4),
            ),
            batch_per_rank=GLOBAL_BATCH // num_ranks,
            precision="float32",
            exchange="ddp",
            placement=placement,
            timing=Timing(warmup_steps=0, min_steps=NUM_STEPS, max_steps=NUM_STEPS),
            seed=3,
            supply=Supply(input="synthetic"),
            execution=execution,
        )
        for execution in executions
    )
    return measured(folder / f"{num_ranks}", placement, points)


def losses(record: Record) -> list[float]:
    assert record.result.steps is not None, record.result.reason
    return list(record.result.steps.losses)


def test_ranks_have_the_losses_of_one_in_every_execution_and_say_which_they_refuse(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    (alone,) = map(losses, records(tmp_path, 1, PLAIN))
    plain, reference, own, rounded, recorded = records(tmp_path, 2, PLAIN, REFERENCE, OWN, ROUNDED, RECORDED)
    for record in (plain, reference, own):
        np.testing.assert_allclose(losses(record), alone, rtol=1e-5)
    np.testing.assert_allclose(losses(rounded), alone, rtol=LOSS_BOUNDS["bfloat16"])
    assert losses(rounded) != losses(plain)
    assert recorded.result.outcome is Outcome.FAILED
    assert "graph is step on device cpu" in recorded.result.reason
