"""Threads that help a step from beside it: they take the time that it leaves, and not its core."""

import os
from contextlib import suppress
from pathlib import Path

GLOO_WAITING = "gloo_tcp_loop"
"""The kernel's name of a thread that serves gloo's sockets."""
_TASKS = Path("/proc/self/task")


def step_back(thread_id: int = 0) -> None:
    """Let a thread (0: the calling one) wake up without taking the core of one that runs.

    As SCHED_BATCH (Linux, any user, the same share of time) it waits for a free core, or for the end of
    the other's turn. Where that is forbidden, as in some containers, all stays as it was.
    """
    with suppress(OSError):
        os.sched_setscheduler(thread_id, os.SCHED_BATCH, os.sched_param(0))


def gloo_steps_back() -> int:
    """Let the waiting threads of gloo in this process step back; how many there are.

    A sender holds the lock of its connection. The thread that its own message wakes, on its core, finds the
    lock taken and asks again and again until the kernel's next tick, 4 ms where half of one would do.
    """
    found = 0
    for name in _TASKS.glob("*/comm"):
        with suppress(OSError):  # a thread that ended meanwhile
            if name.read_text().strip() == GLOO_WAITING:
                step_back(int(name.parent.name))
                found += 1
    return found
