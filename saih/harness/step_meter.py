"""What a thread had of its processor: time on it, and time it waited for it, read in a few microseconds."""

import os
import resource
from collections.abc import Callable

from saih.harness.clock import thread_ns

_SCHEDSTAT = "/proc/thread-self/schedstat"
_BLOCK_BYTES = 512
"""Unit of ``ru_inblock`` (getrusage(2), in effect sectors)."""
UNKNOWN = -1
"""In place of a number that the kernel does not tell."""


class ThreadMeter:
    """Reads the meters of the thread that made it; a reading takes some 2 us (in ``benchmarks.overhead``)."""

    __slots__ = ("_read_delay_ns",)

    def __init__(self) -> None:
        self._read_delay_ns = _delay_reader()

    def read(self) -> tuple[int, int]:
        """Time on a processor, and time ready to run without one [ns]; ``UNKNOWN`` where not told."""
        return thread_ns(), self._read_delay_ns()


def storage_bytes() -> int:
    """Bytes that the calling thread got from storage rather than from the page cache, so far."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_inblock * _BLOCK_BYTES


def grown(before: int, after: int) -> int:
    """The difference, where both are known."""
    return UNKNOWN if UNKNOWN in (before, after) else max(after - before, 0)


def _delay_reader() -> Callable[[], int]:
    """Reads the second number of schedstat: ns spent runnable on a run queue (sched-stats.rst)."""
    try:
        file = os.open(_SCHEDSTAT, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return lambda: UNKNOWN
    handle = _Descriptor(file)

    def read_ns() -> int:
        return int(os.pread(handle.number, 96, 0).split()[1])

    try:
        read_ns()
    except (OSError, ValueError, IndexError):
        return lambda: UNKNOWN
    return read_ns


class _Descriptor:
    """Closes a file when nobody reads it any more."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)
