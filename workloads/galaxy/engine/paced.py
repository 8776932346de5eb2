"""Arithmetic that only takes the time of a device: several of them share few cores, with real messages."""

import time
from collections.abc import Callable
from typing import TypeVar

from workloads.protocol import ReadClock

T = TypeVar("T")
_NS_PER_S = 1e9


class PacedArithmetic:
    """A device that is busy for as long as its profile says, and gives blank numbers.

    Its work begins when the last was due, unless it waited for a message: sleeping a little too long does not
    add up, and what the program itself does between two pieces counts as part of them.
    """

    def __init__(self, clock: ReadClock, sleep: Callable[[float], None] = time.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._due_ns = float(clock())

    @property
    def computes(self) -> bool:
        """It does not."""
        return False

    def do(self, work: Callable[[], T], blank: Callable[[], T], cost_ns: float) -> T:
        """What ``blank`` gives, when the time is over."""
        self._due_ns += cost_ns
        left_ns = self._due_ns - self._clock()
        if left_ns > 0:
            self._sleep(left_ns / _NS_PER_S)
        return blank()

    def waited(self) -> None:
        """What comes next begins now."""
        self._due_ns = max(self._due_ns, float(self._clock()))
