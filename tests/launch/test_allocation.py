"""The driver inside an allocation, on this machine: it takes over, goes on, gives up, and gives way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from saih.domain.batch import Holder
from saih.domain.record import Outcome
from saih.launch.allocation import main
from saih.store.batch_folder import BatchFolder, read_holder, read_progress, write_holder
from saih.store.point_state import PointStatus
from saih.store.sweep_folder import SweepFolder, point_states, read_records

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
LIMIT_S = 60.0
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def tiny_batch(tiny: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for name in [name for name in os.environ if name.startswith(("SLURM_", "PBS_", "LSB_", "FLUX_"))]:
        monkeypatch.delenv(name)
    return __import__("tiny_batch")


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(folder: SweepFolder, *more: str) -> "subprocess.Popen[str]":
        command = [sys.executable, str(HERE / "tiny_allocation.py"), str(folder.path), *(more or ("1",))]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_for_begin(folder: SweepFolder, num_attempts: int = 1) -> None:
    deadline = time.monotonic() + LIMIT_S
    while len(list(folder.path.glob("*/attempt-*/environment.json"))) < num_attempts:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def output_of(process: "subprocess.Popen[str]") -> str:
    return process.communicate(timeout=LIMIT_S)[0]


def test_a_batch_is_worked_off_and_says_how_far_it_is(
    tiny: ModuleType, tiny_batch: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = [tiny.tiny_point(1), tiny.tiny_point(2, "fails")]
    folder = tiny_batch.write_tiny_sweep(tmp_path / "re sults", points)
    assert main([str(folder.path), "1"], worker_module="tiny_worker") == 0
    states = point_states(folder, [point.point_id for point in points])
    assert [state.outcome for state in states.values()] == [Outcome.COMPLETED, Outcome.FAILED]
    batch = BatchFolder(sweep=folder, number=1)
    progress, holder = read_progress(batch), read_holder(batch)
    assert progress is not None
    assert holder is not None
    assert (progress.task, progress.num_done, progress.num_points) == ("ended", 2, 2)
    assert progress.token == holder.token
    lines = capsys.readouterr().out.splitlines()
    assert any("completed" in line for line in lines)
    assert main([str(folder.path), "1"], worker_module="tiny_worker") == 0  # nothing is left
    assert len(read_records(folder)[0]) == 2


def test_an_element_of_an_array_works_on_its_batch_alone(
    tiny: ModuleType, tiny_batch: ModuleType, tmp_path: Path
) -> None:
    first, second = tiny.tiny_point(1), tiny.tiny_point(2)
    folder = tiny_batch.write_tiny_sweep(tmp_path, [first], [second])
    assert main([str(folder.path), "1"], worker_module="tiny_worker") == 2
    assert main([str(folder.path), "1", "2"], worker_module="tiny_worker") == 2
    assert main([str(folder.path), "1", "1"], worker_module="tiny_worker") == 0
    (record,), _ = read_records(folder)
    assert record.point == second


def test_a_submission_to_generate_starts_ranks_once_for_all_batches(
    tiny: ModuleType, tiny_batch: ModuleType, tmp_path: Path
) -> None:
    folder = tiny_batch.write_tiny_sweep(tmp_path, [tiny.tiny_point(1)], [tiny.tiny_point(2)])
    tiny_batch.submit(folder, 2, "generate", ())
    assert main([str(folder.path), "2"], worker_module="tiny_worker") == 0
    assert len(list((folder.path / "jobs").glob("job-*.json"))) == 1


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_notice_leaves_the_open_attempt_without_outcome_and_the_next_start_goes_on(
    tiny: ModuleType, tiny_batch: ModuleType, tmp_path: Path, start: Start, number: signal.Signals
) -> None:
    points = [tiny.tiny_point(width, duration_s=2.0) for width in (1, 2)]
    folder = tiny_batch.write_tiny_sweep(tmp_path, points)
    driver = start(folder)
    wait_for_begin(folder)
    driver.send_signal(number)
    driver.send_signal(number)  # schedulers repeat themselves
    assert f"the scheduler sent {number.name}" in output_of(driver)
    assert driver.returncode == 75
    assert tiny.processes_naming(str(folder.root)) == []
    assert read_records(folder) == ((), ())
    progress = read_progress(BatchFolder(sweep=folder, number=1))
    assert progress is not None
    assert progress.text.startswith("stopped: the scheduler sent")
    assert main([str(folder.path), "1"], worker_module="tiny_worker") == 0
    assert len(read_records(folder)[0]) == 2


def test_a_driver_gives_way_to_a_later_one_and_no_point_is_doubled(
    tiny: ModuleType, tiny_batch: ModuleType, tmp_path: Path, start: Start
) -> None:
    points = [tiny.tiny_point(width, duration_s=1.0) for width in (1, 2, 3)]
    folder = tiny_batch.write_tiny_sweep(tmp_path, points)
    first = start(folder)
    wait_for_begin(folder)
    second = start(folder)
    assert "batch-1 was taken over by" in output_of(first)
    assert first.returncode == 1
    output_of(second)
    assert second.returncode == 0
    records, damages = read_records(folder)
    assert not damages
    assert sorted(record.point.point_id for record in records) == sorted(point.point_id for point in points)
    outcomes = list(folder.path.glob("*/attempt-*/outcome.json"))
    assert len(outcomes) == len(points)


def test_a_zombie_that_cannot_be_stopped_publishes_nothing(
    tiny: ModuleType, tiny_batch: ModuleType, tmp_path: Path, start: Start
) -> None:
    point = tiny.tiny_point(1, duration_s=4.0)
    folder = tiny_batch.write_tiny_sweep(tmp_path, [point])
    zombie = start(folder)
    wait_for_begin(folder)
    zombie.send_signal(signal.SIGSTOP)  # its ranks go on, as on a node that was cut off
    assert main([str(folder.path), "1"], worker_module="tiny_worker") == 0
    deadline = time.monotonic() + LIMIT_S
    while not (late := list(folder.path.glob("*/attempt-1/superseded.json"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    zombie.send_signal(signal.SIGCONT)
    output_of(zombie)
    assert late
    assert zombie.returncode == 1
    (record,), damages = read_records(folder)
    assert (record.attempt, damages) == (2, ())


def test_three_starts_that_finish_nothing_are_enough(
    tiny: ModuleType, tiny_batch: ModuleType, tmp_path: Path, start: Start
) -> None:
    point = tiny.tiny_point(1, duration_s=60.0)
    folder = tiny_batch.write_tiny_sweep(tmp_path, [point])
    for number in (1, 2, 3):
        driver = start(folder)
        wait_for_begin(folder, number)
        driver.kill()
        driver.wait()
    deadline = time.monotonic() + LIMIT_S
    while tiny.processes_naming(str(folder.root)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert tiny.processes_naming(str(folder.root)) == []
    last = start(folder)
    assert "3 starts of batch 1 in a row ended before they finished a point" in output_of(last)
    assert last.returncode == 1
    state = point_states(folder, [point.point_id])[point.point_id]
    assert (state.status, state.num_lost) == (PointStatus.PENDING, 3)
    assert "3 starts of batch 1" in state.reason


def test_who_holds_a_batch_is_written_where_others_look(
    tiny: ModuleType, tiny_batch: ModuleType, tmp_path: Path
) -> None:
    folder = tiny_batch.write_tiny_sweep(tmp_path, [tiny.tiny_point(1)])
    batch = BatchFolder(sweep=folder, number=1)
    old = "2020-01-01T00:00:00+00:00"
    write_holder(
        batch, Holder(token="old", job_id="9", host="x", process=1, since_utc=old, num_idle_restarts=1)
    )
    assert main([str(folder.path), "1"], worker_module="tiny_worker") == 0
    holder = json.loads(batch.holder_path.read_text())["content"]
    assert holder["process"] == os.getpid()
    assert holder["num_idle_restarts"] == 2


@pytest.mark.parametrize("arguments", [[], ["x"], ["/no/sweep", "1"], ["x", "one"], ["x", "1", "2", "3"]])
def test_foolish_arguments_end_with_a_message(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) != 0
    assert "ended with" in capsys.readouterr().out
