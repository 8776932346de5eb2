"""Stopping on request: the first signal asks, the second one does not wait."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from saih.domain.errors import Interrupted
from saih.launch.local import Ending

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Whether a signal asked to stop, and which; the overseer of a driver on this machine."""

    def __init__(self, *, is_patient: bool = False) -> None:
        self.signal: signal.Signals | None = None
        self._is_patient = is_patient

    def is_asked(self) -> bool:
        """Whether it is time to stop."""
        return self.signal is not None

    def error(self) -> Interrupted:
        """The end that a shell expects after this signal."""
        name = "nobody" if self.signal is None else self.signal.name
        error = Interrupted(
            f"stopped by {name}; every finished point is kept.", "run the same command again to continue."
        )
        error.exit_code = 128 + (self.signal or 0)
        return error

    def consider(self, ending: Ending, log_path: Path) -> None:
        """Ranks on this machine end by themselves."""

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Note the first signal; the second one ends at once, unless whoever sends them repeats itself."""
        if self.signal is None:
            self.signal = signal.Signals(number)
        elif not self._is_patient:
            raise KeyboardInterrupt


@contextmanager
def interruption(
    signals: Sequence[signal.Signals] = _SIGNALS, *, is_patient: bool = False
) -> Iterator[Interruption]:
    """Collect signals that ask to stop; only the main thread can, elsewhere nothing is ever asked.

    Schedulers repeat a signal while they wait: ``is_patient`` lets the work end in order all the same.
    """
    asked = Interruption(is_patient=is_patient)
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    previous = {number: signal.signal(number, asked.receive) for number in signals}
    try:
        yield asked
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
