"""Arithmetic that tells what time was spent on: waiting for messages, or everything else."""

from collections.abc import Callable
from typing import Literal, TypeVar

from workloads.galaxy.engine.arithmetic import Arithmetic

Activity = Literal["compute", "wait"]
Meter = Callable[[Activity], None]
"""Called when a part ends: the time since the last call was spent so."""
T = TypeVar("T")


class MeteredArithmetic:
    """Another arithmetic, and how long the device did it."""

    def __init__(self, inner: Arithmetic, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    @property
    def computes(self) -> bool:
        """Whether the other one does."""
        return self._inner.computes

    def do(self, work: Callable[[], T], blank: Callable[[], T], cost_ns: float) -> T:
        """What the other one gives."""
        done = self._inner.do(work, blank, cost_ns)
        self._meter("compute")
        return done

    def waited(self) -> None:
        """The time since the last work was spent waiting for a message."""
        self._meter("wait")
        self._inner.waited()
