"""Stopping on request: the first signal asks, the second one does not wait."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Whether a signal asked to stop, and which."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def is_asked(self) -> bool:
        """Whether it is time to stop."""
        return self.signal is not None

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Note the first signal; end at once on the second."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number)


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Collect signals that ask to stop; only the main thread can, elsewhere nothing is ever asked."""
    asked = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    previous = {number: signal.signal(number, asked.receive) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
