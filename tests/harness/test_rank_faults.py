import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from saih.domain.record import Outcome, Record
from saih.store.sweep_folder import SweepFolder, read_records

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("faulty_ranks.py")
LIMIT_S = 60


def run(
    folder: Path, *faults: str, task: str = "measure", watchdog_s: float = 30
) -> subprocess.CompletedProcess[str]:
    launcher = Path(sys.executable).with_name("mpirun")
    environ = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    }
    command = [str(launcher), "-n", "2", "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    command += [sys.executable, "-m", "mpi4py", str(PROGRAM), str(folder), str(watchdog_s), task, *faults]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def records(folder: Path) -> list[Record]:
    """In the order of the points of the job."""
    found, damages = read_records(SweepFolder(folder / "results", "faults"))
    assert not damages
    return sorted(found, key=lambda record: record.point.problem.model.count("order"))


def seconds_since_struck(folder: Path) -> float:
    return time.time() - float((folder / "struck").read_text())


@pytest.mark.parametrize(
    ("fault", "outcome", "reason"),
    [
        ("step", Outcome.FAILED, "rank 1 raised ValueError: a fault was asked for"),
        ("produce", Outcome.FAILED, "rank 1 raised OSError: the file is gone"),
        ("prepare", Outcome.FAILED, "rank 1 raised ValueError: the model cannot be built"),
        ("leave", Outcome.FAILED, "rank 1 raised SystemExit: 0"),
        ("memory", Outcome.OUT_OF_MEMORY, "rank 1 ran out of memory"),
    ],
)
def test_a_failure_on_one_rank_ends_all_within_seconds_and_names_the_rank(
    tmp_path: Path, fault: str, outcome: Outcome, reason: str
) -> None:
    run(tmp_path, fault)
    assert seconds_since_struck(tmp_path) < 10
    (record,) = records(tmp_path)
    assert record.result.outcome is outcome
    assert reason in record.result.reason


def test_a_failure_on_all_ranks_does_not_stop_the_next_point(tmp_path: Path) -> None:
    done = run(tmp_path, "memory_everywhere", "step_everywhere", "nan", "none")
    outcomes = [record.result.outcome for record in records(tmp_path)]
    assert outcomes == [Outcome.OUT_OF_MEMORY, Outcome.FAILED, Outcome.DIVERGED, Outcome.COMPLETED]
    assert done.returncode == 0
    assert "the loss is nan at step 5 on rank 1" in records(tmp_path)[2].result.reason


@pytest.mark.parametrize(
    ("fault", "evidence"), [("hang", "rank 1 after step 4"), ("stop", "no word from rank 1")]
)
def test_a_rank_that_hangs_or_is_stopped_is_cut_by_the_watchdog(
    tmp_path: Path, fault: str, evidence: str
) -> None:
    done = run(tmp_path, fault, watchdog_s=10)
    assert seconds_since_struck(tmp_path) < 25
    assert done.returncode != 0
    (record,) = records(tmp_path)
    assert record.result.outcome is Outcome.TIMED_OUT
    assert "no progress for 10 s: rank 0 after step 4" in record.result.reason
    assert evidence in record.result.reason
    assert "in step" in done.stderr  # the stacks


def test_a_rank_that_vanishes_ends_the_others_and_leaves_the_attempt_without_outcome(tmp_path: Path) -> None:
    done = run(tmp_path, "vanish")
    assert done.returncode != 0
    assert seconds_since_struck(tmp_path) < 10
    assert records(tmp_path) == []
    assert len(list((tmp_path / "results").glob("*/*/attempt-1"))) == 1


def test_data_are_sealed_once_after_all_ranks_made_their_parts(tmp_path: Path) -> None:
    done = run(tmp_path, "none", "none", task="generate")
    assert done.returncode == 0
    assert (tmp_path / "sealed").read_text() == "2"


def test_data_that_one_rank_cannot_make_are_not_sealed(tmp_path: Path) -> None:
    done = run(tmp_path, "generate", task="generate")
    assert done.returncode != 0
    assert "rank 1 raised OSError: no space left" in done.stderr
    assert not (tmp_path / "sealed").exists()
