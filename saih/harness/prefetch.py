"""The loader thread: batches are made ahead of the steps that need them, and each making is timed."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

from saih.harness.batch_bytes import batch_bytes
from saih.harness.clock import host_ns
from saih.harness.step_meter import ThreadMeter, grown, storage_bytes
from saih.harness.usage import Reading, thread_reading

Batch = TypeVar("Batch")
DEPTH = 2
"""Batches made ahead: one in hand and one under way hide any steady reading time below the step's."""
BURST = 4
"""Batches that one waking of the loader makes while steps are short: waking it costs a step some 50 us."""
MOST_AHEAD_BYTES = 64 * 2**20
"""Of memory that bursts may fill with batches; larger batches come one by one, however short the steps."""
SHORT_STEP_NS = 40_000_000
"""Only below this the waking is worth a burst."""
ERROR_JOIN_S = 1.0

Making = tuple[int, int, int, int]
"""What making one batch took: host time, time on a processor and waiting for one [ns], bytes from storage."""


class Prefetch(Generic[Batch]):
    """Calls ``produce(0)``, ``produce(1)``, ... in a thread of its own.

    At most ``depth`` batches are made ahead, or ``2 * BURST`` once a step was shorter than ``SHORT_STEP_NS``,
    where so many fit ``MOST_AHEAD_BYTES``.

    Use it in a ``with`` statement: leaving it ends the thread.
    """

    def __init__(self, produce: Callable[[int], Batch], depth: int = DEPTH) -> None:
        self._produce = produce
        self._depth = depth
        # Two queues written in C: a bounded queue of Python's costs a step 0.1 ms more.
        self._made: SimpleQueue[tuple[Batch, Making] | BaseException] = SimpleQueue()
        self._free_places: SimpleQueue[int] = SimpleQueue()
        self._free_places.put(depth)
        self._owed = 0
        self._is_bursting = False
        self._batch_bytes = 0
        self._last_take_ns = 0
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
        self._free_places.put(1)
        # After an error a loader that hangs in a read must not hide it; the thread is a daemon.
        self._thread.join(None if error is None else ERROR_JOIN_S)

    @property
    def reading(self) -> Reading | None:
        """What the loader thread read; None before its end, or where the kernel does not tell."""
        return self._reading

    @property
    def thread_id(self) -> int | None:
        """The kernel's number of the loader thread; None before its begin."""
        return self._thread.native_id

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
        self._ask_for_more(host_ns())
        return item

    def _ask_for_more(self, now_ns: int) -> None:
        """Free the place of the batch just taken; in bursts once a short step was seen."""
        is_short = now_ns - self._last_take_ns < SHORT_STEP_NS
        self._last_take_ns = now_ns
        if is_short and not self._is_bursting and 2 * BURST * self._batch_bytes <= MOST_AHEAD_BYTES:
            self._is_bursting = True
            self._owed += 2 * BURST - self._depth
        self._owed += 1
        if not self._is_bursting or self._owed >= BURST:
            self._free_places.put(self._owed)
            self._owed = 0

    def _run(self) -> None:
        before = thread_reading()
        self._load()
        after = thread_reading()
        self._reading = after.minus(before) if before and after else None

    def _load(self) -> None:
        step, meter = 0, ThreadMeter()
        while True:
            num_free = self._free_places.get()
            before = (*meter.read(), storage_bytes())
            for _ in range(num_free):
                if self._stop.is_set():
                    return
                begin_ns = host_ns()
                try:
                    batch = self._produce(step)
                except BaseException as error:
                    self._made.put(error)
                    return
                produce_ns, after = host_ns() - begin_ns, (*meter.read(), storage_bytes())
                self._batch_bytes = self._batch_bytes or batch_bytes(batch)
                on_cpu_ns, delay_ns, read_bytes = map(grown, before, after)
                self._made.put((batch, (produce_ns, on_cpu_ns, delay_ns, read_bytes)))
                before = after
                step += 1
