"""Two real ranks study problems: what they find is kept once, whatever fails or is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
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


def start(root: Path, task: Task, *points: Point) -> "subprocess.Popen[str]":
    placement = points[0].placement
    job = Job(
        task=task,
        sweep_name="studied",
        results_folder=str(root / "results"),
        data_folder=str(root),
        placement=placement,
        points=points,
        watchdog_s=60,
        study=StudyPlan(budget_s=5),
    )
    path = root / f"{task}.json"
    path.write_bytes(encode_job(job))
    launcher = str(Path(sys.executable).with_name("mpirun"))
    number = str(placement.num_ranks)
    ranks = [launcher, "-n", number, "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
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


def statements(root: Path, asked: Point) -> list[str]:
    studies, refused = read_studies(SweepFolder(root / "results", "studied"))
    assert refused == ()
    found = studies.validations.get(subject_id_of(asked))
    return [] if found is None else [gate.statement for gate in found.findings.gates]


def test_what_ranks_find_is_kept_once_whatever_fails_or_is_killed(tmp_path: Path) -> None:
    known = (point(1), point(1, batch=2), point(3, "late-rank"))
    failing = (point(2, "error"), point(4, "odd"))
    slow, last, afterwards = point(5, "slow"), point(6, "one-rank"), point(8, "one-rank-late")
    process = start(tmp_path, "validate", *known, *failing, slow)
    work = tmp_path / f"results/studied/studies/work-{subject_id_of(slow)}"
    deadline = time.monotonic() + 200
    while len(list(work.glob("rank-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    out, _ = process.communicate()
    ends = events(out, "study_end")
    assert [end["outcome"] for end in ends] == ["passed", "passed", "failed", "failed"], out
    assert "no such problem" in ends[2]["reason"]
    assert "odd" in ends[3]["reason"]
    for asked in known:
        assert statements(tmp_path, asked) == ["fresh", "fresh"]
    for asked in (*failing, slow):
        assert statements(tmp_path, asked) == []
    assert not list(tmp_path.glob(f"results/studied/studies/work-{subject_id_of(known[0])}"))

    process = start(tmp_path, "validate", *known, slow, last, afterwards, point(7))
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    begun = [event["point_id"] for event in events(out, "study_begin")]
    assert begun == [slow.point_id, last.point_id, afterwards.point_id, point(7).point_id]
    assert [end["outcome"] for end in events(out, "study_end")] == ["passed", "failed", "failed", "passed"]
    assert [
        "alone" in end["reason"] and "rank 1" in end["reason"] for end in events(out, "study_end")[1:3]
    ] == [True, True]
    assert statements(tmp_path, slow) == ["went on", "went on"]
    assert statements(tmp_path, last) == statements(tmp_path, afterwards) == []
    assert statements(tmp_path, point(7)) == ["fresh", "fresh"]


def test_ranks_that_study_are_told_what_they_have_to_make_data_with(tmp_path: Path) -> None:
    asked = point(1, "means")
    out, _ = start(tmp_path, "validate", asked).communicate(timeout=300)
    assert statements(tmp_path, asked) == ["2 ranks, True"], out


def test_a_search_is_one_job_over_all_problems_and_is_kept(tmp_path: Path) -> None:
    alone = Placement(ranks_per_node=1, data_parallel=1)
    asked = [replace(point(width), placement=alone) for width in (1, 2)]
    process = start(tmp_path, "search", *asked)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out
    found = read_search(SweepFolder(tmp_path / "results", "studied"))
    assert found is not None
    assert [rung.flops_per_sample for rung in found.frontier.rungs] == [1.0, 2.0]
    assert (found.num_ranks, found.frontier.rungs[0].losses) == (1, (0.3,))
