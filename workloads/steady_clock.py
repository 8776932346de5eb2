"""The clock of programs that nobody measures: they time themselves to decide what to do."""

import time


def steady_ns() -> int:
    """A moment [ns]; only differences mean anything."""
    return int(time.monotonic() * 1e9)
