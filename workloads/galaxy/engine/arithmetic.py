"""The arithmetic of one device: what runs between messages. Real, or paced."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Arithmetic(Protocol):
    """Does a part of the work, or takes the time of a device that would.

    Work that was checked once may be replaced by waiting: ``blank`` gives something of the shape that
    ``work`` would, and then the device is busy for ``cost_ns`` from when it was last done, or from now.
    """

    @property
    def computes(self) -> bool:
        """Whether ``work`` is done at all; where it is not, no weights are needed."""

    def do(self, work: Callable[[], T], blank: Callable[[], T], cost_ns: float) -> T:
        """What ``work`` gives, or something of its shape."""

    def waited(self) -> None:
        """The device had nothing to do until now, because a message was not there."""


class RealArithmetic:
    """The device computes."""

    @property
    def computes(self) -> bool:
        """It does."""
        return True

    def do(self, work: Callable[[], T], blank: Callable[[], T], cost_ns: float) -> T:
        """What ``work`` gives."""
        return work()

    def waited(self) -> None:
        """Nothing is made of it."""
