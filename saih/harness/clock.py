"""The only clock of the job: monotonic, in whole nanoseconds, read after device work has ended."""

import time
from collections.abc import Callable

import torch

ReadClock = Callable[[], int]
"""Gives the present moment [ns]; only differences mean anything."""


def host_ns() -> int:
    """The present moment on the host [ns], whatever the device is doing."""
    return time.perf_counter_ns()


def thread_ns() -> int:
    """Time that the calling thread spent on a processor [ns], since it began."""
    return time.thread_time_ns()


def device_clock(device: str) -> ReadClock:
    """The clock that waits for all work queued on ``device`` (``cpu`` or ``cuda:N``) before it reads."""
    if torch.device(device).type == "cpu":
        return host_ns
    return lambda: _synchronised_ns(device)


def _synchronised_ns(device: str) -> int:
    torch.cuda.synchronize(device)
    return time.perf_counter_ns()
