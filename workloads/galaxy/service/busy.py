"""How long a device is busy with a request: its pieces of work, and what is around them.

Both grow differently. Work is in proportion to what of a layer a device holds; around it are taking tiles,
sending them and finding out what is next, which cost as much for small pieces as for large ones.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from workloads.galaxy.engine.arithmetic import Arithmetic
from workloads.protocol import ReadClock

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """One device and one request; waiting for messages is in neither."""

    work_ns: float
    around_ns: float
    num_pieces: int = 0
    """Of work, where they were counted."""

    @property
    def total_ns(self) -> float:
        """Both."""
        return self.work_ns + self.around_ns


class TimedArithmetic:
    """Another arithmetic, and how long the device was busy since it was last told to begin."""

    def __init__(self, inner: Arithmetic, clock: ReadClock) -> None:
        self._inner = inner
        self._clock = clock
        self._work_ns = self._around_ns = self._num_pieces = self._last_ns = 0

    @property
    def computes(self) -> bool:
        """Whether the other one does."""
        return self._inner.computes

    @property
    def busy(self) -> Busy:
        """Since it began."""
        return Busy(work_ns=self._work_ns, around_ns=self._around_ns, num_pieces=self._num_pieces)

    def begin(self) -> None:
        """A request begins."""
        self._work_ns = self._around_ns = self._num_pieces = 0
        self._last_ns = self._clock()

    def do(self, work: Callable[[], T], blank: Callable[[], T], cost_ns: float) -> T:
        """What the other one gives."""
        begin_ns = self._clock()
        done = self._inner.do(work, blank, cost_ns)
        end_ns = self._clock()
        self._around_ns += begin_ns - self._last_ns
        self._work_ns += end_ns - begin_ns
        self._num_pieces += 1
        self._last_ns = end_ns
        return done

    def waited(self) -> None:
        """The time since the last work was spent waiting for a message."""
        self._last_ns = self._clock()
        self._inner.waited()
