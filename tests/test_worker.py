import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.domain.job import Job, Task
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import ADDITIVE_PHASES, AttemptResult, Environment, Outcome, Phase, Record
from saih.store.codec import encode_job
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish, read_records

pytestmark = pytest.mark.slow
LIMIT_S = 120
ENVIRON = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}
SHORT = Timing(warmup_steps=0, min_steps=6, max_steps=6)


def make_point(num_ranks: int, width: int = 4, timing: Timing = SHORT) -> Point:
    """The same global batch of 8 samples on any number of ranks."""
    return Point(
        workload="cosmoflow",
        problem=Problem(
            data=Shape.of(samples=16, resolution=8, channels=2, universes=2),
            model=Shape.of(depth=2, width=width),
        ),
        batch_per_rank=8 // num_ranks,
        precision="float64",
        exchange="ddp",
        placement=Placement(ranks_per_node=num_ranks, data_parallel=num_ranks),
        timing=timing,
        seed=3,
    )


def write_job(folder: Path, task: Task, *points: Point) -> Path:
    job = Job(
        task=task,
        sweep_name=f"on-{points[0].placement.num_ranks}",
        results_folder=str(folder / "results"),
        data_folder=str(folder / "data"),
        placement=points[0].placement,
        points=points,
        watchdog_s=60,
    )
    path = folder / f"job-{task}-{len(points)}-{points[0].placement.num_ranks}.json"
    path.write_bytes(encode_job(job))
    return path


def command(job: Path, num_ranks: int | None) -> list[str]:
    """Without a number, a process that no launcher started."""
    worker = [sys.executable, "-m", "mpi4py", "-m", "saih.worker", str(job)]
    if num_ranks is None:
        return worker
    launcher = str(Path(sys.executable).with_name("mpirun"))
    return [launcher, "-n", str(num_ranks), "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none", *worker]


def run(job: Path, num_ranks: int | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(job, num_ranks), env=ENVIRON, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def events(output: str, name: str) -> list[dict[str, Any]]:
    prefix = "saih-event "
    found = [json.loads(line[len(prefix) :]) for line in output.splitlines() if line.startswith(prefix)]
    return [event for event in found if event["event"] == name]


def records(folder: Path, num_ranks: int) -> tuple[Record, ...]:
    found, damages = read_records(SweepFolder(folder / "results", f"on-{num_ranks}"))
    assert not damages
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data made, and the same two points measured, by two ranks and by one."""
    path = tmp_path_factory.mktemp("job")
    made = run(write_job(path, "generate", make_point(2)), 2)
    assert made.returncode == 0, made.stdout + made.stderr
    for num_ranks in (1, 2):
        points = make_point(num_ranks), make_point(num_ranks, width=8)
        done = run(write_job(path, "measure", *points), num_ranks)
        assert done.returncode == 0, done.stdout + done.stderr
        assert [event["outcome"] for event in events(done.stdout, "point_end")] == ["completed"] * 2
    return path


def test_two_ranks_have_the_losses_of_one_rank_on_the_same_global_batch(folder: Path) -> None:
    for width in (4, 8):
        one, two = (
            next(r for r in records(folder, n) if r.point.problem.model["width"] == width) for n in (1, 2)
        )
        assert one.result.steps is not None
        assert two.result.steps is not None
        assert len(set(one.result.steps.losses)) == 6
        np.testing.assert_allclose(two.result.steps.losses, one.result.steps.losses, rtol=1e-10)


def test_phases_sum_to_the_step_on_every_rank_and_the_exchange_is_seen(folder: Path) -> None:
    for record in records(folder, 2):
        steps = record.result.steps
        assert steps is not None
        assert (steps.num_ranks, steps.num_steps) == (2, 6)
        summed = sum(np.array(steps.duration_ns[phase]) for phase in ADDITIVE_PHASES)
        np.testing.assert_array_equal(summed, np.array(steps.step_ns))
        exposed, total = (
            np.array(steps.duration_ns[phase]) for phase in (Phase.COMMUNICATION, Phase.COMMUNICATION_TOTAL)
        )
        assert (total > 0).all()
        assert (exposed > 0).all()


def test_records_say_where_what_was_used_and_why_measuring_stopped(folder: Path) -> None:
    (record, _) = records(folder, 2)
    assert record.result.outcome is Outcome.COMPLETED
    assert record.result.stop_reason.startswith(("limit of 6 steps", "interval"))
    assert int(record.result.notes["peak_memory_bytes"]) > 50e6
    assert record.result.notes["cache_state"] in {"warm", "cold", "mixed"}
    assert record.environment.facts["torch"]


def test_a_job_that_is_started_again_repeats_no_point(folder: Path) -> None:
    again = run(folder / "job-measure-2-1.json", 1)
    assert again.returncode == 0
    assert events(again.stdout, "point_begin") == []
    assert all(record.attempt == 1 for record in records(folder, 1))


@pytest.mark.parametrize("num_ranks", [None, 1])
def test_a_rank_alone_in_place_of_two_is_refused_before_anything_is_timed(
    tmp_path: Path, num_ranks: int | None
) -> None:
    refused = run(write_job(tmp_path, "measure", make_point(2)), num_ranks)
    assert refused.returncode == 3
    (error,) = events(refused.stdout, "error")
    assert error["kind"] == "EnvironmentMissing"
    assert "asks for 2 ranks, but this rank is alone in an MPI world of 1" in error["problem"]
    assert not (tmp_path / "results").exists()


def test_a_job_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    refused = run(tmp_path / "absent.json", None)
    (error,) = events(refused.stdout, "error")
    assert refused.returncode == 3
    assert "absent.json on this node" in error["problem"]


def test_no_rank_outlives_a_killed_launcher(folder: Path) -> None:
    endless = Timing(relative_width=0.0, max_steps=10**6, budget_s=600)
    job = write_job(folder, "measure", make_point(2, width=16, timing=endless), make_point(2), make_point(2))
    with subprocess.Popen(command(job, 2), env=ENVIRON, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        assert any('"point_begin"' in line for line in launcher.stdout)
        ranks = children_of(launcher.pid)
        assert len(ranks) == 2
        launcher.kill()
    deadline = time.monotonic() + 10
    while any(is_running(rank) for rank in ranks) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_running(rank) for rank in ranks)


def children_of(process: int) -> list[int]:
    threads = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_ranks_refuse_a_sweep_whose_records_come_from_another_environment(tmp_path: Path) -> None:
    first, second = make_point(1), make_point(1, width=8)
    folder = SweepFolder(tmp_path / "results", "on-1")
    other = Environment(facts={"machine": "another"}, notes={}, environment_id="f" * 16)
    failed = AttemptResult(outcome=Outcome.FAILED, reason="as asked", stop_reason="", steps=None, notes={})
    finish(begin_attempt(folder, first, other), failed)
    done = run(write_job(tmp_path, "measure", second), None)
    assert done.returncode == 2, done.stderr
    (error,) = events(done.stdout, "error")
    assert "records of another environment" in error["problem"]
    assert "machine: 'another'" in error["problem"]
    records, damages = read_records(folder)
    assert (len(records), damages) == (1, ())
