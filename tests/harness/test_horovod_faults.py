import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from saih.domain.record import Outcome, Record
from saih.store.sweep_folder import SweepFolder, read_records

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("faulty_horovod_ranks.py")
LIMIT_S = 90


def run(folder: Path, *faults: str, watchdog_s: float = 30) -> subprocess.CompletedProcess[str]:
    launcher = str(Path(sys.executable).with_name("mpirun"))
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    ranks = [launcher, "-n", "2", "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    program = [sys.executable, "-m", "mpi4py", str(PROGRAM), str(folder), str(watchdog_s), "measure", *faults]
    environ = {**os.environ, **allowed, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*ranks, *program], env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )


def records(folder: Path) -> list[Record]:
    """In the order of the points of the job."""
    found, damages = read_records(SweepFolder(folder / "results", "faults"))
    assert not damages
    return sorted(found, key=lambda record: record.point.problem.model.count("order"))


def seconds_since_struck(folder: Path) -> float:
    return time.time() - float((folder / "struck").read_text())


def test_a_failed_point_names_its_rank_and_spoils_no_other(tmp_path: Path) -> None:
    faults = ["step", "none", "prepare", "none", "leave", "nan", "memory_everywhere", "none"]
    done = run(tmp_path, *faults)
    assert done.returncode == 0, done.stdout + done.stderr
    results = [record.result for record in records(tmp_path)]
    assert [result.outcome for result in results] == [
        Outcome.FAILED,
        Outcome.COMPLETED,
        Outcome.FAILED,
        Outcome.COMPLETED,
        Outcome.FAILED,
        Outcome.DIVERGED,
        Outcome.OUT_OF_MEMORY,
        Outcome.COMPLETED,
    ]
    assert results[0].reason == "rank 1 raised ValueError: a fault was asked for"
    assert results[2].reason == "rank 1 raised ValueError: the model cannot be built"
    assert results[4].reason == "rank 1 raised SystemExit: 0"


def test_a_failure_on_one_rank_frees_the_others_at_once(tmp_path: Path) -> None:
    run(tmp_path, "step")
    assert seconds_since_struck(tmp_path) < 5
    (record,) = records(tmp_path)
    assert record.result.reason == "rank 1 raised ValueError: a fault was asked for"


@pytest.mark.parametrize(
    ("fault", "evidence"), [("hang", "rank 1 after step 4"), ("stop", "no word from rank 1")]
)
def test_a_rank_that_hangs_or_is_stopped_is_cut_by_the_watchdog(
    tmp_path: Path, fault: str, evidence: str
) -> None:
    # Horovod alone may take ten seconds to begin where other tests keep the cores busy.
    done = run(tmp_path, fault, watchdog_s=20)
    assert seconds_since_struck(tmp_path) < 45
    assert done.returncode != 0
    (record,) = records(tmp_path)
    assert record.result.outcome is Outcome.TIMED_OUT
    assert "no progress for 20 s: rank 0 after step 4" in record.result.reason
    assert evidence in record.result.reason


def test_a_rank_that_vanishes_ends_the_others(tmp_path: Path) -> None:
    done = run(tmp_path, "vanish")
    assert done.returncode != 0
    assert seconds_since_struck(tmp_path) < 10
    assert records(tmp_path) == []
