"""What ends ranks while a search tries it is left out by the next, so that its point is measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from augment.problem import Problem, Shape
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Outcome
from saih.launch.campaign import run
from saih.launch.job_run import Options
from saih.machine.environment import capture
from saih.store.ceilings_file import write_ceilings
from saih.store.sweep_folder import SweepFolder, attempts_of, read_records
from saih.store.trial_file import fatal_trials
from saih.store.tuned_file import read_tuned
from workloads.execution import TUNED

TESTS = Path(__file__).parents[1]
POINT = Point(
    workload="made",
    problem=Problem(data=Shape.of(size=1), model=Shape.of(broken=2)),
    batch_per_rank=2,
    precision="float32",
    exchange="none",
    placement=Placement(),
    timing=Timing(warmup_steps=1, min_steps=6, max_steps=6),
    seed=7,
    execution=TUNED,
)


def ceilings() -> Ceilings:
    rate = Interval(low=1.0, value=2.0, high=3.0, level=0.95, count=5)
    curves = tuple(
        Ceiling(
            kind=CeilingKind.GEMM,
            precision=precision,
            unit="FLOP/s",
            size_unit="side",
            sizes=(1.0,),
            rates=(rate,),
        )
        for precision in ("float32", "bfloat16")
    )
    return Ceilings(
        environment_id=capture().environment_id,
        placement_label=POINT.placement.label,
        curves=curves,
        measured_utc="2026-01-01T00:00:00+00:00",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )


@pytest.mark.slow
def test_a_setting_that_kills_its_rank_is_left_out_and_the_point_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{TESTS / 'launch'}:{TESTS}:{TESTS.parent}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.syspath_prepend(str(TESTS / "launch"))
    root, environment = tmp_path / "results", capture()
    write_ceilings(root, ceilings())
    folder, events = SweepFolder(root, "tuned"), list[Any]()
    result = run(
        folder,
        [POINT],
        tmp_path / "data",
        environment,
        events.append,
        Options(seed=3, worker_module="tuned_worker", max_lost=1),
    )
    assert result.states[POINT.point_id].outcome is Outcome.COMPLETED, events
    assert [event["outcome"] for event in events if event["event"] == "point_end"] == ["lost", "completed"]
    lost = next(event for event in events if event["event"] == "point_end")["reason"]
    assert "was trying kernels own, which is left out from now on" in lost

    (fatal,) = fatal_trials(root, environment.environment_id, POINT)
    assert fatal.trial.words == "kernels own"
    tuned = read_tuned(root, environment.environment_id, POINT)
    assert tuned is not None
    assert tuned.execution.precision == "bfloat16"
    own = [one for one in tuned.candidates if one.setting == "kernels"]
    assert [one.verdict for one in own] == ["failed"]
    assert "its ranks died while it was tried" in own[0].reason
    records, _ = read_records(folder)
    (measured,) = (one for one in records if one.result.outcome is Outcome.COMPLETED)
    assert json.loads(measured.result.notes["execution_search"])["is_reused"] is False
    assert len(attempts_of(folder, POINT.point_id)) == 2
    assert list(root.glob("executions/*/*.trying")) == []
