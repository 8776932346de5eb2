"""Two real ranks search executions together: all find the same, whatever fails on one of them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from augment.problem import Problem, Shape
from saih.domain.job import Job, Task
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Outcome
from saih.domain.tuning import TuningPlan, execution_of
from saih.store.codec import encode_job
from saih.store.sweep_folder import SweepFolder, read_records
from saih.store.tuned_file import read_tuned
from workloads.execution import TUNED

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ALLOWED = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}
TWO = Placement(ranks_per_node=2, data_parallel=2)
SHORT = Timing(warmup_steps=1, min_steps=6, max_steps=6)
PROBLEMS = {
    "made": Problem(data=Shape.of(size=1), model=Shape.of(broken=0)),
    "cosmoflow": Problem(
        data=Shape.of(samples=8, resolution=16, channels=2, universes=2), model=Shape.of(depth=1, width=4)
    ),
}


def point(workload: str) -> Point:
    return Point(
        workload=workload,
        problem=PROBLEMS[workload],
        batch_per_rank=2,
        precision="float32",
        exchange="ddp",
        placement=TWO,
        timing=SHORT,
        seed=7,
        execution=TUNED,
    )


def write_job(root: Path, number: int, task: Task, *points: Point, budget_s: float = 15) -> str:
    job = Job(
        task=task,
        sweep_name="tuned",
        results_folder=str(root / "results"),
        data_folder=str(root / "data"),
        placement=TWO,
        points=points,
        watchdog_s=60,
        tuning=TuningPlan(budget_s=budget_s) if task == "tune" else None,
    )
    path = root / f"{number}-{task}.json"
    path.write_bytes(encode_job(job))
    return str(path)


def events(output: str) -> list[dict[str, Any]]:
    lines = [line for line in output.splitlines() if line.startswith("saih-event ")]
    return [json.loads(line.removeprefix("saih-event ")) for line in lines]


def test_ranks_find_the_same_and_points_run_with_it(tmp_path: Path) -> None:
    made, real = point("made"), point("cosmoflow")
    jobs = [
        write_job(tmp_path, 1, "generate", real),
        write_job(tmp_path, 2, "tune", made),
        write_job(tmp_path, 3, "tune", real, budget_s=1),  # what takes long to prepare is left out
        write_job(tmp_path, 4, "tune", made, real),
        write_job(tmp_path, 5, "measure", made, real),
    ]
    launcher = str(Path(sys.executable).with_name("mpirun"))
    ranks = [launcher, "-n", "2", "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    worker = [sys.executable, "-m", "mpi4py", str(Path(__file__).with_name("tuning_ranks.py")), *jobs]
    done = subprocess.run(
        [*ranks, *worker],
        env={**os.environ, **ALLOWED, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    told = events(done.stdout)
    begun = [event["point_id"] for event in told if event["event"] == "tune_begin"]
    assert begun == [made.point_id, real.point_id]  # the last search had nothing to do
    environment_id = next(event["environment_id"] for event in told if event["event"] == "environment")

    found = read_tuned(tmp_path / "results", environment_id, made)
    assert found is not None, done.stdout
    verdicts = {(one.setting, one.value): one for one in reversed(found.candidates)}
    assert found.execution.precision == "bfloat16"
    assert verdicts["layout", "channels_first"].verdict == "slower"
    assert verdicts["kernels", "own"].verdict == "failed"
    assert "rank 1 raised RuntimeError: the own kernel does not run" in verdicts["kernels", "own"].reason

    searched = read_tuned(tmp_path / "results", environment_id, real)
    assert searched is not None, done.stdout
    records, damages = read_records(SweepFolder(tmp_path / "results", "tuned"))
    assert damages == ()
    assert {record.point.point_id for record in records} == {made.point_id, real.point_id}
    for record, tuned in (
        (record, {"made": found, "cosmoflow": searched}[record.point.workload]) for record in records
    ):
        assert record.result.outcome is Outcome.COMPLETED, record.result.reason
        assert execution_of(record.point, record.result.notes) == tuned.execution
        assert json.loads(record.result.notes["execution_search"])["is_reused"] is True
