"""Ranks that divide a model give what one rank gives, in jobs as the product starts them."""

import json
from pathlib import Path

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import HIDDEN_PHASES, Outcome, Phase, Record
from tests.workloads.job_by_hand import measured

pytestmark = pytest.mark.slow
NUM_STEPS = 3
PROMPTS = Shape.of(sequence=12, valid_percent=60, batches=2, new_tokens=3)
ENCODED = Shape.of(sequence=9, valid_percent=40, packed=0, batches=3)
DECODER = Shape.of(family="llama", layers=3, hidden=32, heads=4, kv_heads=2, ffn=48, vocab=61)
ENCODER = Shape.of(family="bert", layers=3, hidden=32, heads=4, vocab=61)


def points(placement: Placement) -> tuple[Point, ...]:
    problems = (Problem(data=PROMPTS, model=DECODER), Problem(data=ENCODED, model=ENCODER))
    return tuple(
        Point(
            workload="energon",
            problem=problem,
            batch_per_rank=2,
            precision="float64",
            exchange="none",
            placement=placement,
            timing=Timing(warmup_steps=1, min_steps=NUM_STEPS, max_steps=NUM_STEPS),
            seed=3,
        )
        for problem in problems
    )


@pytest.fixture(scope="module")
def undivided(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return measured(tmp_path_factory.mktemp("one"), Placement(), points(Placement()))


@pytest.mark.parametrize(
    "placement",
    [
        Placement(ranks_per_node=2, tensor_parallel=2),
        Placement(ranks_per_node=2, pipeline_parallel=2),
        Placement(ranks_per_node=4, tensor_parallel=2, pipeline_parallel=2),
    ],
    ids=lambda placement: f"{placement.tensor_parallel}x{placement.pipeline_parallel}",
)
def test_ranks_that_divide_a_model_answer_what_one_rank_does(
    placement: Placement, undivided: list[Record], tmp_path: Path
) -> None:
    for record, alone in zip(measured(tmp_path, placement, points(placement)), undivided, strict=True):
        assert record.result.outcome is Outcome.COMPLETED, record.result.reason
        steps, expected = record.result.steps, alone.result.steps
        assert steps is not None
        assert expected is not None
        np.testing.assert_allclose(steps.losses, expected.losses, rtol=1e-9)
        assert len(set(steps.losses)) == len(steps.losses)
        check_phases(record)


def check_phases(record: Record) -> None:
    """Marks cover the step, and what was marked as communication is all there is of it."""
    steps = record.result.steps
    assert steps is not None
    durations = {phase: np.array(rows) for phase, rows in steps.duration_ns.items()}
    whole = sum(rows for phase, rows in durations.items() if phase not in HIDDEN_PHASES)
    np.testing.assert_array_equal(whole, np.array(steps.step_ns))
    assert (durations[Phase.FORWARD] > 0).all()
    assert durations[Phase.COMMUNICATION].sum() > 0
    np.testing.assert_array_equal(durations[Phase.COMMUNICATION], durations[Phase.COMMUNICATION_TOTAL])
    assert (Phase.STAGE_WAIT in durations) == (record.point.placement.pipeline_parallel > 1)
    assert not durations[Phase.BACKWARD].any()
    notes = record.result.notes
    assert int(notes["prompt_pass_p50_ns"]) <= int(notes["prompt_pass_p99_ns"])
    assert float(notes["tokens_per_s"]) > 0
    assert ("decode_pass_p50_ns" in notes) == ("first_token_p50_ns" in notes)
    assert json.loads(notes["operations_counted"])
