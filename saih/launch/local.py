"""Ranks on this machine: start them, listen to them, end them, and leave none behind."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from saih.launch.event import Event, parse_event
from saih.launch.session import has_children, session_members
from saih.store.files import writing_at

_TICK_S = 0.1
_TERM_GRACE_S = 10.0
_KILL_GRACE_S = 10.0
_CHUNK_BYTES = 2**16
_LOOK_S = 1.0
_ABANDONED_S = 5.0


class Cause(StrEnum):
    """Why the ranks ended."""

    EXITED = "exited"
    STOPPED = "stopped"
    """Asked by whoever drives the sweep."""
    SILENT = "silent"
    """Cut off: nothing was heard for longer than allowed."""
    ABANDONED = "abandoned"
    """Cut off: all ranks were gone, but something they left kept the launcher waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One start of the launcher."""

    command: Sequence[str]
    environment: Mapping[str, str]
    log_path: Path
    """Takes everything that is said, apart from events."""
    silence_limit_s: float
    """The ranks are ended when no event arrives for this long."""
    inherited: int | None
    """A descriptor that the launcher keeps open as long as it lives; None for none."""
    has_local_ranks: bool = True
    """Whether the launcher has a child process here as long as ranks live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the ranks ended."""

    cause: Cause
    exit_status: int
    """Of the launcher; negative for the signal that ended it."""


def run_ranks(run: Run, on_event: Callable[[Event], None], is_stopped: Callable[[], bool]) -> Ending:
    """Start the launcher, pass on every event, and return when no process of it is left."""
    with writing_at(run.log_path):
        log = os.open(run.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        with _started(run, log) as process:
            cause = _listen(run, process, log, on_event, is_stopped)
            if cause is not Cause.EXITED:
                _terminate(process)
            _end_session(process.pid)
            return Ending(cause=cause, exit_status=process.wait())
    finally:
        os.close(log)


@contextmanager
def _started(run: Run, log: int) -> Iterator[subprocess.Popen[bytes]]:
    # The tether sends TERM, not KILL: the launcher then removes its ranks and shared memory itself.
    tether = [sys.executable, "-m", "saih.launch.tether", str(int(signal.SIGTERM)), str(os.getpid())]
    process = subprocess.Popen(
        [*tether, *run.command],
        env=dict(run.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        pass_fds=() if run.inherited is None else (run.inherited,),
        start_new_session=True,  # keeps Ctrl-C from the ranks, and names all of them by one session
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            _terminate(process)
            _end_session(process.pid)
            process.wait()
        if process.stdout:
            process.stdout.close()


def _listen(
    run: Run,
    process: subprocess.Popen[bytes],
    log: int,
    on_event: Callable[[Event], None],
    is_stopped: Callable[[], bool],
) -> Cause:
    heard_s = with_ranks_s = looked_s = time.monotonic()
    for line in _lines(process):
        event = parse_event(line)
        if event is not None:
            heard_s = time.monotonic()
            on_event(event)
        elif line:
            with writing_at(run.log_path):
                os.write(log, f"{line}\n".encode())
        if is_stopped():
            return Cause.STOPPED
        now_s = time.monotonic()
        if now_s - heard_s > run.silence_limit_s:
            return Cause.SILENT
        if run.has_local_ranks and now_s - looked_s > _LOOK_S:
            looked_s = now_s
            with_ranks_s = now_s if has_children(process.pid) else with_ranks_s
        if looked_s - with_ranks_s > _ABANDONED_S:
            return Cause.ABANDONED
    return Cause.EXITED


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """Lines of output until the launcher has ended; an empty one at least every tick."""
    source, rest = process.stdout.fileno() if process.stdout else -1, b""
    while True:
        has_ended = _has_ended(process.pid)  # asked before reading, so that nothing is left unread
        data = _read(source, 0.0 if has_ended else _TICK_S)
        if data:
            *whole, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace") for line in whole)
        elif has_ended:
            yield rest.decode(errors="replace")
            return
        else:
            if data is not None:  # closed early: only the end is awaited
                time.sleep(_TICK_S)
            yield ""


def _read(source: int, timeout_s: float) -> bytes | None:
    """What there is to read; empty when the other side closed it, None when nothing came in time."""
    ready, _, _ = select.select([source], [], [], timeout_s)
    return os.read(source, _CHUNK_BYTES) if ready else None


def _has_ended(pid: int) -> bool:
    """Whether a child has ended, leaving it unreaped so that its id (and session) stays its own."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _terminate(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + _TERM_GRACE_S
    while not _has_ended(process.pid) and time.monotonic() < deadline:
        time.sleep(_TICK_S)


def _end_session(session: int) -> None:
    """Kill what is left of a session and wait until nothing is; its leader must not be reaped yet."""
    deadline = time.monotonic() + _KILL_GRACE_S
    while (left := session_members(session)) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_TICK_S)
