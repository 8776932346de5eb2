"""A link that is slower than the connection that carries it, where the kernel cannot limit it."""

import threading
import time

_NS_PER_S = 1e9


class LinkPace:
    """When a message is through a link: one after the other at its rate, each later by the delay.

    Links that share one may share their rate: give them the same object. The delay goes on top of that of the
    connection, and what TCP adds to a message is not counted.
    """

    def __init__(self, rate: float, delay_ns: float) -> None:
        self._rate = rate  # bytes/s
        self._delay_s = delay_ns / _NS_PER_S
        self._free_s = 0.0
        self._turn = threading.Lock()

    def due_s(self, num_bytes: int) -> float:
        """When a message that is given now arrives [s, as ``time.monotonic``]."""
        with self._turn:
            self._free_s = max(self._free_s, time.monotonic()) + num_bytes / self._rate
            return self._free_s + self._delay_s
