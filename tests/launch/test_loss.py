"""What is recorded of a point whose ranks ended without saying how."""

from pathlib import Path

import pytest

from saih.domain.record import Outcome
from saih.launch.local import Cause, Ending
from saih.launch.loss import out_of_memory_kills, result_of, was_terminated

NOTICE = """Traceback (most recent call last):
ValueError: shapes differ
--------------------------------------------------------------------------
prterun noticed that process rank 1 with PID 10848 on node vm exited on
signal 9 (Killed).
--------------------------------------------------------------------------
"""


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    path = tmp_path / "job-3.log"
    path.write_text(NOTICE)
    return path


@pytest.mark.parametrize(
    ("cause", "exit_status", "num_memory_kills", "outcome"),
    [
        (Cause.EXITED, 137, 1, Outcome.OUT_OF_MEMORY),
        (Cause.EXITED, -9, 2, Outcome.OUT_OF_MEMORY),
        (Cause.EXITED, 137, 0, Outcome.LOST),
        (Cause.EXITED, 1, 1, Outcome.LOST),
        (Cause.ABANDONED, 143, 0, Outcome.LOST),
        (Cause.SILENT, 143, 0, Outcome.TIMED_OUT),
    ],
)
def test_out_of_memory_is_claimed_only_with_evidence(
    log_path: Path, cause: Cause, exit_status: int, num_memory_kills: int, outcome: Outcome
) -> None:
    ending = Ending(cause=cause, exit_status=exit_status)
    result = result_of(ending, log_path, num_memory_kills=num_memory_kills)
    assert result.outcome is outcome
    assert "job-3.log" in result.reason
    assert "process rank 1 with PID 10848 on node vm exited on signal 9 (Killed)" in result.reason


def test_an_exception_is_quoted_where_no_signal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "job-1.log"
    path.write_text("Traceback\n  x\nValueError: shapes differ\nErrorcode: 1\n")
    result = result_of(Ending(cause=Cause.EXITED, exit_status=1), path, num_memory_kills=0)
    assert "last words: ValueError: shapes differ" in result.reason


def test_an_empty_log_is_said_to_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "job-1.log"
    path.write_text("")
    result = result_of(Ending(cause=Cause.EXITED, exit_status=1), path, num_memory_kills=0)
    assert "the log is empty" in result.reason


def test_the_kernel_counts_its_memory_kills_and_never_down() -> None:
    assert 0 <= out_of_memory_kills() <= out_of_memory_kills()


# As srun of Slurm 22.05 wrote them.
RANK_KILLED = """srun: error: n2: task 1: Killed
srun: launch/slurm: _step_signal: Terminating StepId=1.0
slurmstepd-n1: error: *** STEP 1.0 ON n1 CANCELLED AT 2026-11-20T23:35:17 ***
srun: error: n1: task 0: Terminated
"""
RANK_LEFT = RANK_KILLED.replace("task 1: Killed", "task 1: Exited with exit code 3")
SIGNALLED = """slurmstepd-n1: error: *** STEP 1.2 ON n1 CANCELLED AT 2026-11-20T23:35:29 ***
srun: error: n2: task 1: Terminated
srun: launch/slurm: _step_signal: Terminating StepId=1.2
srun: error: n1: task 0: Terminated
"""
PREEMPTED = (
    f"{RANK_LEFT}slurmstepd-n1: error: *** JOB 1 ON n1 CANCELLED AT 2026-11-20T23:35:38 DUE TO PREEMPTION ***"
)


@pytest.mark.parametrize(
    ("text", "exit_status", "is_from_outside"),
    [
        (RANK_KILLED, 143, False),
        (RANK_LEFT, 143, False),
        (SIGNALLED, 143, True),
        (PREEMPTED, 143, True),
        (NOTICE, 137, False),
        ("", 143, True),
        ("", 1, False),
    ],
)
def test_ranks_that_failed_are_told_from_ranks_that_were_ended(
    text: str, exit_status: int, *, is_from_outside: bool
) -> None:
    ending = Ending(cause=Cause.EXITED, exit_status=exit_status)
    assert was_terminated(ending, text) is is_from_outside
