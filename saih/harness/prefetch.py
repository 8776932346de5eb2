"""The loader thread: batches are made ahead of the steps that need them, and each making is timed."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

from saih.harness.clock import host_ns
from saih.harness.step_meter import ThreadMeter, grown, storage_bytes
from saih.harness.usage import Reading, thread_reading
from saih.machine.background import step_back

Batch = TypeVar("Batch")
DEPTH = 2
"""Batches made ahead: one in hand and one under way hide any steady reading time below the step's."""
ERROR_JOIN_S = 1.0

Making = tuple[int, int, int, int]
"""What making one batch took: host time, time on a processor and waiting for one [ns], bytes from storage."""


class Prefetch(Generic[Batch]):
    """Calls ``produce(0)``, ``produce(1)``, ... in a thread of its own.

    At most ``depth`` batches are made ahead. Use it in a ``with`` statement: leaving it ends the thread.
    """

    def __init__(self, produce: Callable[[int], Batch], depth: int = DEPTH) -> None:
        self._produce = produce
        # Two queues written in C: a bounded queue of Python's costs a step 0.1 ms more.
        self._made: SimpleQueue[tuple[Batch, Making] | BaseException] = SimpleQueue()
        self._free_places: SimpleQueue[None] = SimpleQueue()
        for _ in range(depth):
            self._free_places.put(None)
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
        self._free_places.put(None)
        # After an error a loader that hangs in a read must not hide it; the thread is a daemon.
        self._thread.join(None if error is None else ERROR_JOIN_S)

    @property
    def reading(self) -> Reading | None:
        """What the loader thread read; None before its end, or where the kernel does not tell."""
        return self._reading

    @property
    def thread_ids(self) -> frozenset[int]:
        """The kernel's number of the loader thread; empty before its begin."""
        return frozenset() if self._thread.native_id is None else frozenset({self._thread.native_id})

    @property
    def has_next(self) -> bool:
        """Whether the next batch, or what ended the making, lies ready."""
        return not self._made.empty()

    def take(self) -> tuple[Batch, Making]:
        """The next batch, and what making it took; waits for it.

        Raises:
            BaseException: whatever ``produce`` raised, in its turn and with its traceback.
        """
        item = self._made.get()
        if isinstance(item, BaseException):
            raise item
        self._free_places.put(None)
        return item

    def _run(self) -> None:
        # Woken at the begin of a step, it would take the core on which that runs where no other is free.
        step_back()
        before = thread_reading()
        self._load()
        after = thread_reading()
        self._reading = after.minus(before) if before and after else None

    def _load(self) -> None:
        step, meter = 0, ThreadMeter()
        while True:
            self._free_places.get()
            if self._stop.is_set():
                return
            before, begin_ns = (*meter.read(), storage_bytes()), host_ns()
            try:
                batch = self._produce(step)
            except BaseException as error:
                self._made.put(error)
                return
            produce_ns, after = host_ns() - begin_ns, (*meter.read(), storage_bytes())
            on_cpu_ns, delay_ns, read_bytes = map(grown, before, after)
            self._made.put((batch, (produce_ns, on_cpu_ns, delay_ns, read_bytes)))
            step += 1
