"""The memory of this process that is no page of a file."""

from pathlib import Path
from threading import Event, Thread


def anonymous_bytes() -> int:
    """What this process holds that is no page of a file."""
    return status_bytes("RssAnon")


def status_bytes(name: str) -> int:
    """A size that the kernel tells of this process, by its name in ``/proc/self/status``."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


class Watch:
    """The greatest anonymous memory, looked at every millisecond."""

    def __init__(self) -> None:
        self._peak_bytes = 0
        self._is_over = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def peak_bytes(self) -> int:
        """The greatest seen; the watch ends."""
        self._is_over.set()
        self._thread.join()
        return self._peak_bytes

    def _run(self) -> None:
        while not self._is_over.wait(0.001):
            self._peak_bytes = max(self._peak_bytes, anonymous_bytes())
