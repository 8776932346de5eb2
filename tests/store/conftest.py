"""Small values that every test of the store needs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from augment.problem import Problem, Shape
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import AttemptResult, Environment, Outcome, Phase, RankSummary, Steps
from saih.store.sweep_folder import SweepFolder


@pytest.fixture
def make_point() -> Callable[[int], Point]:
    def make(seed: int = 1) -> Point:
        return Point(
            workload="cosmoflow",
            problem=Problem(data=Shape.of(resolution=16, scale=1.5), model=Shape.of(kind="cnn", width=4)),
            batch_per_rank=2,
            precision="float32",
            exchange="ddp",
            placement=Placement(ranks_per_node=2, data_parallel=2),
            timing=Timing(relative_width=1),
            seed=seed,
        )

    return make


@pytest.fixture
def environment() -> Environment:
    return Environment(
        facts={"cpu_model": "Test 9000", "torch": "2.13"}, notes={"host": "näme"}, environment_id="e" * 16
    )


@pytest.fixture
def steps() -> Steps:
    rows = ((1_000_001, 1_000_002, 1_000_003), (2_000_001, 2_000_002, 2_000_003))
    durations = {Phase.FORWARD: rows, Phase.BACKWARD: rows}
    return Steps(duration_ns=durations, step_ns=rows, losses=(0.9, 0.7, 0.1 + 0.2, 1e-300), warmup_steps=1)


@pytest.fixture
def completed(steps: Steps) -> AttemptResult:
    return AttemptResult(
        outcome=Outcome.COMPLETED,
        reason="",
        stop_reason="3 steps",
        steps=steps,
        notes={"cache_state": "warm"},
    )


@pytest.fixture
def make_failure() -> Callable[[Outcome], AttemptResult]:
    def make(outcome: Outcome) -> AttemptResult:
        return AttemptResult(
            outcome=outcome, reason=f"{outcome} as asked", stop_reason="", steps=None, notes={}
        )

    return make


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder(tmp_path / "results", "growth")


@pytest.fixture
def summarised() -> Steps:
    """Three of seventy ranks kept whole."""
    num_ranks, rows = 70, ((9_000, 9_001), (5_000, 5_001), (1_000, 1_001))
    durations = {Phase.FORWARD: rows, Phase.BACKWARD: ((0, 0),) * 3}
    summary = RankSummary(
        num_ranks=num_ranks,
        kept=(69, 35, 0),
        slowest_ns=(9_500, 9_001),
        median_step_ns=tuple(1_000 + rank for rank in range(num_ranks)),
        median_ns={Phase.FORWARD: tuple(range(num_ranks)), Phase.BACKWARD: (0,) * num_ranks},
    )
    return Steps(duration_ns=durations, step_ns=rows, losses=(0.5, 0.25), warmup_steps=0, summary=summary)
