"""Several loader threads that make batches in turns, for devices that one thread cannot keep fed."""

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Generic, Self, TypeVar

from saih.harness.prefetch import Making, Prefetch
from saih.harness.step_meter import UNKNOWN
from saih.harness.usage import Reading

Batch = TypeVar("Batch")
_DEPTH = 1
"""Batches that each loader makes ahead: together they are as many as there are loaders."""


class Loaders(Generic[Batch]):
    """Calls ``produce(0)``, ``produce(1)``, ... in several threads, which take turns.

    Use it in a ``with`` statement, as ``Prefetch``.
    """

    def __init__(self, produce: Callable[[int], Batch], number: int) -> None:
        def made_by(first: int) -> Callable[[int], Batch]:
            return lambda turn: produce(first + turn * number)

        self._loaders = [Prefetch(made_by(first), _DEPTH) for first in range(number)]
        self._next = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for loader in self._loaders:
            self._stack.enter_context(loader)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, traceback)

    @property
    def reading(self) -> Reading | None:
        """What all loaders read together; None before their end, or where the kernel does not tell."""
        readings = [loader.reading for loader in self._loaders]
        known = [reading for reading in readings if reading is not None]
        if len(known) < len(readings):
            return None
        return Reading(
            asked_bytes=sum(reading.asked_bytes for reading in known),
            storage_bytes=sum(reading.storage_bytes for reading in known),
        )

    @property
    def thread_ids(self) -> frozenset[int]:
        """The kernel's numbers of the threads; empty before their begin."""
        return frozenset().union(*(loader.thread_ids for loader in self._loaders))

    @property
    def has_next(self) -> bool:
        """Whether the next batch lies ready."""
        return self._loaders[self._next].has_next

    def take(self) -> tuple[Batch, Making]:
        """The next batch, and its part of what the loaders took together; waits for it.

        Raises:
            BaseException: whatever ``produce`` raised, in its turn and with its traceback.
        """
        batch, (*durations_ns, read_bytes) = self._loaders[self._next].take()
        self._next = (self._next + 1) % len(self._loaders)
        produce_ns, on_cpu_ns, delay_ns = (self._part(duration) for duration in durations_ns)
        return batch, (produce_ns, on_cpu_ns, delay_ns, read_bytes)

    def _part(self, duration_ns: int) -> int:
        """Of a duration: so long after the batch before, this one was there."""
        return duration_ns if duration_ns == UNKNOWN else duration_ns // len(self._loaders)
