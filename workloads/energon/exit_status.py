"""How a worker ended, and what that says about who of several was the first."""

import signal
from enum import IntEnum


class ExitStatus(IntEnum):
    """What a worker says by its exit status."""

    CLOSED = 0
    FAILED = 1
    LINK_LOST = 3
    """Another rank is gone."""
    CONTROLLER_LOST = 4


def suspicion(status: int | None) -> int:
    """The place of a worker that ended so among those that may have died first; the least is the likeliest.

    ``status`` is that of ``subprocess.Popen.returncode``. The death of one ends others that talk to it.
    """
    if status is None:
        return 4
    if status == -signal.SIGABRT:  # gloo aborts for several reasons, one of which is a peer that is gone
        return 2
    if status < 0:
        return 0
    return 3 if status == ExitStatus.LINK_LOST else 1


def in_words(status: int) -> str:
    """An exit status as people say it."""
    if status >= 0:
        return f"ended with exit status {status}"
    known = {number.value: number.name for number in signal.Signals}
    return f"was killed by {known.get(-status, f'signal {-status}')}"
