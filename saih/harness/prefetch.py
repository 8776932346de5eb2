"""The loader thread: batches are made ahead of the steps that need them, and each making is timed."""

import threading
from collections.abc import Callable
from queue import Full, Queue
from types import TracebackType
from typing import Generic, Self, TypeVar

from saih.harness.clock import host_ns
from saih.harness.usage import Reading, thread_reading

Batch = TypeVar("Batch")
DEPTH = 2
"""Batches made ahead: one in hand and one under way hide any steady reading time below the step's."""
POLL_S = 0.1
ERROR_JOIN_S = 1.0


class Prefetch(Generic[Batch]):
    """Calls ``produce(0)``, ``produce(1)``, ... in a thread of its own, at most ``depth`` ahead.

    Use it in a ``with`` statement: leaving it ends the thread.
    """

    def __init__(self, produce: Callable[[int], Batch], depth: int = DEPTH) -> None:
        self._produce = produce
        self._queue: Queue[tuple[Batch, int] | BaseException] = Queue(maxsize=depth)
        self._stop = threading.Event()
        self._reading: Reading | None = None
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        # After an error a loader that hangs in a read must not hide it; the thread is a daemon.
        self._thread.join(None if error is None else ERROR_JOIN_S)

    @property
    def reading(self) -> Reading | None:
        """What the loader thread read; None before its end, or where the kernel does not tell."""
        return self._reading

    def take(self) -> tuple[Batch, int]:
        """The next batch, and the host time that making it took [ns]; waits for it.

        Raises:
            BaseException: whatever ``produce`` raised, in its turn and with its traceback.
        """
        item = self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def _run(self) -> None:
        before = thread_reading()
        self._load()
        after = thread_reading()
        self._reading = after.minus(before) if before and after else None

    def _load(self) -> None:
        step = 0
        while not self._stop.is_set():
            begin_ns = host_ns()
            try:
                batch = self._produce(step)
            except BaseException as error:
                self._put(error)
                return
            self._put((batch, host_ns() - begin_ns))
            step += 1

    def _put(self, item: tuple[Batch, int] | BaseException) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=POLL_S)
            except Full:
                continue
            return
