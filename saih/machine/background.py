"""Threads that help a step from beside it: they take the time that it leaves, and not its core."""

import os
import time
from contextlib import suppress
from pathlib import Path

GLOO_WAITING = "gloo_tcp_loop"
"""The kernel's name of a thread that serves gloo's sockets; it names itself soon after its begin."""
GLOO_RUNNING = "pt_gloo_runloop"
"""Of one in which torch runs gloo's exchanges."""
_TASKS = Path("/proc/self/task")
_PATIENCE_S = 0.2


def step_back(thread_id: int = 0) -> None:
    """Let a thread (0: the calling one) wake up without taking the core of one that runs.

    As SCHED_BATCH (Linux, any user, the same share of time) it waits for a free core, or for the end of
    the other's turn. Where that is forbidden, as in some containers, all stays as it was.
    """
    with suppress(OSError):
        os.sched_setscheduler(thread_id, os.SCHED_BATCH, os.sched_param(0))


def gloo_threads(*names: str) -> frozenset[int]:
    """The kernel's numbers of the threads of this process that have one of gloo's names."""
    found = set()
    for name in _TASKS.glob("*/comm"):
        with suppress(OSError):  # a thread that ended meanwhile
            if name.read_text().strip() in names:
                found.add(int(name.parent.name))
    return frozenset(found)


def newer_gloo_threads_step_back(than: frozenset[int]) -> frozenset[int]:
    """Let the waiting threads of gloo that were begun since then step back; which they are.

    For an exchange beside computing, as of gradients. A sender holds the lock of its connection. The thread
    that its own message wakes, on its core, finds the lock taken and asks again and again until the kernel's
    next tick, 4 ms where half of one would do. Ranks that wait for each other's results all the time lose
    by it: a message then waits for the end of the receiver's turn.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while not (newer := gloo_threads(GLOO_WAITING) - than) and time.monotonic() < deadline:
        time.sleep(0.001)
    for thread_id in newer:
        step_back(thread_id)
    return newer
