"""What to record of a point whose ranks ended without saying how."""

import os
import re
from contextlib import suppress
from pathlib import Path

from saih.domain.record import AttemptResult, Outcome
from saih.launch.local import Cause, Ending

_KILLED = (-9, 137)
_TAIL_BYTES = 8192
_KILL_COUNTER = Path("/proc/vmstat")
_OUT_OF_MEMORY = re.compile(
    r"(?:slurmstepd|srun)[^\n]{0,200}"
    r"(?:oom[-_ ]kill|out[ _]of[ _]memory|exceeded [a-z ]{0,20}memory limit)[^\n]{0,200}",
    re.IGNORECASE,
)
"""What Slurm writes into the log of a step whose processes it, or a cgroup, killed for want of memory."""
_TERMINATED = (-15, 143)
_FROM_OUTSIDE = re.compile(
    # 36608 is 143 as waitpid tells it: a TERM ended the daemons that mpirun has on other nodes.
    r"DUE TO [A-Z ]+|signal 15|task \S+: Terminated|forcing job termination|exit status \(36608\)"
)
_CANCELLED = "CANCELLED AT"
_DECIDED = "DUE TO "
"""Follows CANCELLED where Slurm says why: PREEMPTION, TIME LIMIT, NODE FAILURE."""
_FIRST_TASK = re.compile(r"srun: error: \S+: tasks? \S+: (\w+)")
_FAILED_FIRST = re.compile(r"task \S+: (?!Terminated)|exited on signal|Error: ")
_ABORT = re.compile(r"(?:tasks? [0-9,-]+: (?!Terminated)|An error occurred in |DUE TO )[^*\n]{1,200}")
_TELLING = (
    re.compile(r"process rank \d+ .{0,200}?exited on signal \d+ \([^)]*\)", re.ASCII),
    re.compile(r"^\s*([\w.]*(?:Error|Exception|Interrupt)\b.*)$", re.MULTILINE),
)


def out_of_memory_kills() -> int:
    """Processes that the kernel killed for want of memory since boot, as far as it tells."""
    with suppress(OSError):
        if found := re.search(r"^oom_kill (\d+)$", _KILL_COUNTER.read_text(), re.MULTILINE):
            return int(found.group(1))
    return 0


def result_of(ending: Ending, log_path: Path, *, num_memory_kills: int) -> AttemptResult:
    """The result for the point that was running; ``num_memory_kills`` came while it ran."""
    where = f"log: {log_path.name}; {cause_line(log_path)}"
    status = f"the launcher's exit status was {ending.exit_status}"
    if ending.cause is Cause.SILENT:
        outcome = Outcome.TIMED_OUT
        reason = f"nothing was heard of the ranks for longer than allowed, so they were ended ({where})."
    elif found := _OUT_OF_MEMORY.search(tail_of(log_path)):
        outcome = Outcome.OUT_OF_MEMORY
        reason = (
            f"the scheduler ended ranks for want of memory ({found.group().strip()}); {status} ({where}). "
            "Use a smaller batch, fewer ranks on a node, or a smaller problem."
        )
    elif num_memory_kills and ending.exit_status in _KILLED:
        outcome = Outcome.OUT_OF_MEMORY
        reason = (
            f"the kernel killed {num_memory_kills} process(es) for want of memory while this point ran, and "
            f"{status} ({where}). Use a smaller batch, fewer ranks on this node, or a smaller problem."
        )
    else:
        outcome = Outcome.LOST
        reason = f"the ranks ended during this point without an outcome; {status} ({where})."
    return AttemptResult(outcome=outcome, reason=reason, stop_reason="", steps=None, notes={})


def cause_line(log_path: Path) -> str:
    """What near the end of a log says most: the rank that a signal ended, an exception, or the last line."""
    text = tail_of(log_path)
    flowing = " ".join(text.split())  # launchers wrap their sentences
    lines = [line.strip() for line in text.splitlines() if line.strip(" -*\t\0")]
    found = _TELLING[0].findall(flowing) or _TELLING[1].findall(text) or _ABORT.findall(text) or lines
    found = found or ["the log is empty"]
    return f"last words: {found[-1][:300]}"


def was_terminated(ending: Ending, text: str) -> bool:
    """Whether somebody else ended the ranks, by the end of their log.

    Slurm says CANCELLED too, and ends with 143, when it ends the others of a failed rank; srun tells first
    which task ended first.
    """
    if _DECIDED not in text and (first := _FIRST_TASK.search(text)):
        return first.group(1) == "Terminated"
    if ending.exit_status in _TERMINATED or _FROM_OUTSIDE.search(text):
        return True
    return _CANCELLED in text and not _FAILED_FIRST.search(text)


def tail_of(path: Path) -> str:
    """The end of a log; empty where there is none."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
