"""Two real ranks study problems: what they find is kept once, whatever fails or is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from augment.problem import Problem, Shape
from saih.domain.job import Job, Task
from saih.domain.point import Placement, Point, Timing
from saih.domain.study import StudyPlan, subject_id_of
from saih.store.codec import encode_job
from saih.store.study_file import read_search, read_studies
from saih.store.sweep_folder import SweepFolder

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ALLOWED = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}
TWO = Placement(ranks_per_node=2, data_parallel=2)


def point(width: int, fault: str = "none", batch: int = 1) -> Point:
    return Point(
        workload="studied",
        problem=Problem(data=Shape.of(resolution=1), model=Shape.of(width=width, fault=fault)),
        batch_per_rank=batch,
        precision="float32",
        exchange="none",
        placement=TWO,
        timing=Timing(),
        seed=7,
    )


def start(root: Path, task: Task, *points: Point, since_utc: str = "") -> "subprocess.Popen[str]":
    job = Job(
        task=task,
        sweep_name="studied",
        results_folder=str(root / "results"),
        data_folder=str(root),
        placement=TWO,
        points=points,
        watchdog_s=60,
        study=StudyPlan(budget_s=5, since_utc=since_utc),
    )
    path = root / f"{task}.json"
    path.write_bytes(encode_job(job))
    launcher = str(Path(sys.executable).with_name("mpirun"))
    ranks = [launcher, "-n", "2", "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    worker = [sys.executable, "-m", "mpi4py", str(Path(__file__).with_name("studying_ranks.py")), str(path)]
    return subprocess.Popen(
        [*ranks, *worker],
        env={**os.environ, **ALLOWED, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def events(output: str, name: str) -> list[dict[str, Any]]:
    lines = [
        line.removeprefix("saih-event ") for line in output.splitlines() if line.startswith("saih-event ")
    ]
    return [event for event in map(json.loads, lines) if event["event"] == name]


def run(root: Path, task: Task, *points: Point, since_utc: str = "") -> tuple[int, str]:
    process = start(root, task, *points, since_utc=since_utc)
    out, _ = process.communicate(timeout=120)
    return process.returncode, out


def statements(root: Path, asked: Point) -> list[str]:
    studies, refused = read_studies(SweepFolder(root / "results", "studied"))
    assert refused == ()
    found = studies.validations.get(subject_id_of(asked))
    return [] if found is None else [gate.statement for gate in found.findings.gates]


def test_each_problem_is_studied_once_and_failures_are_passed_over(tmp_path: Path) -> None:
    asked = (point(1), point(1, batch=2), point(2, "error"), point(3, "late-rank"), point(4, "odd"), point(5))
    code, out = run(tmp_path, "validate", *asked)
    assert code == 0, out
    ends = events(out, "study_end")
    assert [end["outcome"] for end in ends] == ["passed", "failed", "passed", "failed", "passed"]
    assert "no such problem" in ends[1]["reason"]
    assert "odd" in ends[3]["reason"]
    assert statements(tmp_path, point(1)) == ["fresh", "fresh"]
    assert statements(tmp_path, point(2, "error")) == []
    assert not list(tmp_path.glob(f"results/studied/studies/work-{subject_id_of(point(1))}"))
    code, out = run(tmp_path, "validate", *asked)
    assert len(events(out, "study_begin")) == 2  # those that failed are tried again
    code, out = run(tmp_path, "validate", point(1), since_utc="2999-01-01T00:00:00+00:00")
    assert len(events(out, "study_begin")) == 1


def test_a_rank_that_fails_alone_ends_the_job_and_is_named(tmp_path: Path) -> None:
    code, out = run(tmp_path, "validate", point(1), point(2, "one-rank"), point(3))
    assert code != 0
    assert "rank 1 alone" in out
    assert statements(tmp_path, point(1)) == ["fresh", "fresh"]
    assert statements(tmp_path, point(3)) == []


def test_a_killed_study_finds_its_folder_again_and_a_search_is_kept(tmp_path: Path) -> None:
    asked = (point(1), point(2, "slow"))
    process = start(tmp_path, "validate", *asked)
    work = tmp_path / f"results/studied/studies/work-{subject_id_of(asked[1])}"
    deadline = time.monotonic() + 60
    while len(list(work.glob("rank-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert statements(tmp_path, asked[0]) == ["fresh", "fresh"]
    assert statements(tmp_path, asked[1]) == []
    code, out = run(tmp_path, "validate", *asked)
    assert code == 0, out
    assert len(events(out, "study_begin")) == 1
    assert statements(tmp_path, asked[1]) == ["went on", "went on"]
    code, out = run(tmp_path, "search", *asked)
    assert code == 0, out
    found = read_search(SweepFolder(tmp_path / "results", "studied"))
    assert found is not None
    assert [rung.flops_per_sample for rung in found.frontier.rungs] == [1.0, 2.0]
    assert found.frontier.rungs[0].losses == (0.3, 0.4)
