"""The only clock of the job: monotonic, in whole nanoseconds, read after device work has ended."""

import time
from collections.abc import Callable

import torch

ReadClock = Callable[[], int]
"""Gives the present moment [ns]; only differences mean anything."""


host_ns: ReadClock = time.perf_counter_ns
"""The present moment on the host [ns], whatever the device is doing."""
thread_ns: ReadClock = time.thread_time_ns
"""Time that the calling thread spent on a processor [ns], since it began."""


def device_clock(device: str) -> ReadClock:
    """The clock that waits for the work of the steps on ``device`` (``cpu`` or ``cuda:N``) before it reads.

    On a GPU that is what its current stream holds: copies of later batches on another are not waited for.
    """
    if torch.device(device).type == "cpu":
        return host_ns
    return lambda: _synchronised_ns(device)


def _synchronised_ns(device: str) -> int:
    torch.cuda.current_stream(device).synchronize()
    return time.perf_counter_ns()
