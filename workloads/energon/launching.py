"""Starts the worker processes of an engine."""

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from workloads.energon.errors import LaunchError

WORKER = ("-m", "workloads.energon.worker")
_STANDARD_ERROR = 2
_ROOT = Path(__file__).parents[2]
"""Where the package ``workloads`` lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedWorker:
    """A process, and the controller's end of the connection to it. It ends when that is closed."""

    process: subprocess.Popen[bytes]
    output: IO[bytes]
    """What it says, on both of its streams."""
    connection: socket.socket

    @property
    def exit_status(self) -> int | None:
        """That of ``subprocess.Popen.returncode``: None while it runs, below 0 where a signal killed it."""
        return self.process.poll()

    def has_ended(self, timeout_s: float) -> bool:
        """Wait for its end."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True


def start_workers(
    num_ranks: int, num_threads: int, meeting: int, program: Sequence[str] = WORKER
) -> tuple[StartedWorker, ...]:
    """One process for each rank, of ``num_threads`` threads of computation; all are handed ``meeting``.

    ``program`` are Python's arguments; the number of the descriptor of its connection follows them.

    Raises:
        LaunchError: when one cannot be started; none runs then.
    """
    started: list[StartedWorker] = []
    try:
        for _ in range(num_ranks):
            started.append(_start(num_threads, meeting, program))  # noqa: PERF401  # those that did start must be ended
    except BaseException as error:
        end_workers(started)
        if not isinstance(error, OSError):
            raise
        raise LaunchError(f"worker {len(started)} of {num_ranks} could not be started: {error}") from error
    return tuple(started)


def end_workers(workers: Sequence[StartedWorker]) -> None:
    """End processes that nobody watches yet; none is left."""
    for worker in workers:
        worker.process.kill()
        worker.process.communicate()
        worker.connection.close()


@contextmanager
def meeting_file() -> Iterator[int]:
    """The descriptor of a file where the ranks of one engine tell each other how they are reached.

    It has no name and lies in memory, so that only processes that were handed it, and others of the same
    user, can open it, and it is gone with the last of them.
    """
    descriptor = _apart_from_streams(os.memfd_create("energon"))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def meeting_path(descriptor: int) -> str:
    """By which a process that was handed the descriptor opens the file anew."""
    return f"/proc/self/fd/{descriptor}"


def _start(num_threads: int, meeting: int, program: Sequence[str]) -> StartedWorker:
    ours, theirs = (socket.socket(fileno=_apart_from_streams(end.detach())) for end in socket.socketpair())
    with theirs:
        try:
            process = subprocess.Popen(
                # -P: whatever lies in the caller's folder must not stand in for a module
                [sys.executable, "-P", *program, str(theirs.fileno())],
                pass_fds=[theirs.fileno(), meeting],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=os.environ | _environment(num_threads),
                start_new_session=True,  # Ctrl-C is for the caller, who may want to go on
            )
        except BaseException:
            ours.close()
            raise
    if process.stdout is None:
        raise OSError("its output cannot be read")
    return StartedWorker(process=process, output=process.stdout, connection=ours)


def _apart_from_streams(descriptor: int) -> int:
    """The same under a number that is none of the standard streams', which children get anew.

    A caller that has closed its own streams gets their numbers for whatever it opens.
    """
    if descriptor > _STANDARD_ERROR:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _STANDARD_ERROR + 1)
    finally:
        os.close(descriptor)


def _environment(num_threads: int) -> dict[str, str]:
    python_path = os.environ.get("PYTHONPATH", "")
    settings = {
        "PYTHONPATH": f"{_ROOT}{os.pathsep}{python_path}" if python_path else str(_ROOT),
        "OMP_NUM_THREADS": str(num_threads),
    }
    # All ranks are on this host, whose name need not resolve; what the caller says stands.
    loopback = {"lo", "lo0"} & {name for _, name in socket.if_nameindex()}
    if loopback and "GLOO_SOCKET_IFNAME" not in os.environ:
        settings["GLOO_SOCKET_IFNAME"] = loopback.pop()
    return settings
