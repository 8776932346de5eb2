"""Starts the worker processes of an engine."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO

from torch.distributed import TCPStore  # type: ignore[attr-defined]  # exported only where it was built

from workloads.energon.errors import LaunchError

WORKER = ("-m", "workloads.energon.worker")
_LOOPBACK = "127.0.0.1"
_STORE_S = 300.0
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
    num_ranks: int, num_threads: int, program: Sequence[str] = WORKER
) -> tuple[StartedWorker, ...]:
    """One process for each rank, of ``num_threads`` threads of computation.

    ``program`` are Python's arguments; the number of the descriptor of its connection follows them.

    Raises:
        LaunchError: when one cannot be started; none runs then.
    """
    started: list[StartedWorker] = []
    try:
        for _ in range(num_ranks):
            started.append(_start(num_threads, program))  # noqa: PERF401  # those that did start must be ended
    except OSError as error:
        for worker in started:
            worker.process.kill()
            worker.process.communicate()
            worker.connection.close()
        raise LaunchError(f"worker {len(started)} of {num_ranks} could not be started: {error}") from error
    return tuple(started)


def _start(num_threads: int, program: Sequence[str]) -> StartedWorker:
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(
                # -P: whatever lies in the caller's folder must not stand in for a module
                [sys.executable, "-P", *program, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
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


class MeetingPoint:
    """Where the ranks of one engine find each other: a key-value store in this process, on the loopback.

    The kernel picks its port, so several engines on one machine never meet.
    """

    def __init__(self, num_ranks: int) -> None:
        listener = socket.create_server((_LOOPBACK, 0), backlog=num_ranks)
        self.port: int = listener.getsockname()[1]
        self._store: TCPStore | None = TCPStore(
            _LOOPBACK,
            self.port,
            is_master=True,
            timeout=timedelta(seconds=_STORE_S),
            wait_for_workers=False,
            master_listen_fd=listener.detach(),
        )

    def close(self) -> None:
        """Free the port."""
        self._store = None
