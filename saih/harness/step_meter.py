"""What a thread had of its processor: time on it, and time it waited for it."""

import os
import resource
from collections.abc import Callable

from saih.harness.clock import host_ns, thread_ns

_SCHEDSTAT = "/proc/thread-self/schedstat"
_BLOCK_BYTES = 512
"""Unit of ``ru_inblock`` (getrusage(2), in effect sectors)."""
SHARED_NS = 40_000_000
"""Work shorter than this shares a reading with that of the next step."""
CLOSE_NS = 100_000
"""Work that begins so soon after a reading begins with it."""
UNKNOWN = -1
"""In place of a number that the kernel does not tell."""


class ThreadMeter:
    """Reads the meters of the thread that made it: some 3 us in a loop, 40 us behind a training step."""

    __slots__ = ("_read_delay_ns",)

    def __init__(self) -> None:
        self._read_delay_ns = _delay_reader()

    def read(self) -> tuple[int, int]:
        """Time on a processor, and time ready to run without one [ns]; ``UNKNOWN`` where not told."""
        return thread_ns(), self._read_delay_ns()


class WorkMeter:
    """Reads the meters of the thread that made it before and after the work of each step.

    A reading between two steps finds cold caches and takes some 40 us. Steps whose work is shorter than
    ``SHARED_NS`` therefore share one, and each gets its equal part; their waits in between are in it.
    Work that follows at once goes on from the last reading.
    """

    __slots__ = ("_before", "_begin_ns", "_num_open", "_read", "_steps")

    def __init__(self) -> None:
        self._read = ThreadMeter().read
        self._before = (0, 0)
        self._begin_ns = -CLOSE_NS
        self._num_open = 0
        self._steps: list[tuple[int, int]] = []

    def begin(self) -> None:
        """The work of a step begins."""
        if self._num_open:
            return
        now_ns = host_ns()
        if now_ns - self._begin_ns >= CLOSE_NS:
            self._before = self._read()
        self._begin_ns = now_ns

    def end(self) -> None:
        """The work of a step has ended."""
        self._num_open += 1
        if host_ns() - self._begin_ns >= SHARED_NS:
            self._close()

    def take(self) -> list[tuple[int, int]]:
        """On a processor and waiting for one [ns], for each step since the last call."""
        if self._num_open:
            self._close()
        steps, self._steps = self._steps, []
        return steps

    def _close(self) -> None:
        num_steps, self._num_open = self._num_open, 0
        before, self._before = self._before, self._read()
        self._begin_ns = host_ns()
        parts = [equal_parts(grown(*its), num_steps) for its in zip(before, self._before, strict=True)]
        self._steps += zip(*parts, strict=True)


def equal_parts(total: int, number: int) -> list[int]:
    """A number in equal parts that sum to it; unknown parts where it is unknown."""
    if total == UNKNOWN:
        return [UNKNOWN] * number
    part, rest = divmod(total, number)
    return [part + (index < rest) for index in range(number)]


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
