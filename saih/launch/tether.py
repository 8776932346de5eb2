"""Run a command that dies with its parent: ``python -m saih.launch.tether SIGNAL PARENT COMMAND...``.

``SIGNAL`` is the number of the signal that the command gets when its parent ends, however that ends.
``PARENT`` is the process id that the parent must have, or 0 for any that still lives. A command that leads
a session and has not ended ``GRACE_S`` after the end of its ``PARENT`` is killed with the whole session:
launchers have been seen to stop in the middle of their own clean-up, and would hold a sweep's lock for good.
"""

import ctypes
import os
import select
import signal
import sys
import time
from contextlib import suppress

from saih.launch.session import session_members

GRACE_S = 15.0
"""Longer than any orderly clean-up: a driver that lives gives its ranks 10 s."""
_PR_SET_PDEATHSIG = 1
_ORPHANED = 1
_TICK_S = 0.1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the command."""
    signal_number, parent = int(arguments[0]), int(arguments[1])
    if sys.platform == "linux":
        # prctl(2): the setting survives execve, so the command keeps it.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    found = os.getppid()
    if (
        found != parent if parent else found == _ORPHANED
    ):  # in a container, process 1 may be the parent itself
        sys.exit(1)  # the parent ended before the tie held
    if parent and os.getsid(0) == os.getpid():
        _leave_watcher(parent)
    os.execvp(arguments[2], arguments[2:])  # noqa: S606 - no shell is the point


def _leave_watcher(parent: int) -> None:
    """A process that outlives the parent by ``GRACE_S`` at most, and this one not at all."""
    try:
        ends = os.pidfd_open(parent), os.pidfd_open(os.getpid())
    except (AttributeError, OSError):
        return  # not Linux, or one older than 5.3: the signal alone must do
    session, child = os.getpid(), os.fork()
    if child:
        for end in ends:
            os.close(end)
        os.waitpid(child, 0)
        return
    if os.fork():  # a grandchild is nobody's child here: launchers count and reap theirs
        os._exit(0)
    with suppress(BaseException):
        _watch(*ends, session)
    os._exit(0)


def _watch(parent_end: int, own_end: int, session: int) -> None:
    """Wait for both to end, the parent first or not; hold nothing open meanwhile that others wait for."""
    first, last = sorted((parent_end, own_end))
    os.closerange(0, first)
    os.closerange(first + 1, last)
    os.closerange(last + 1, os.sysconf("SC_OPEN_MAX"))
    ended, _, _ = select.select([parent_end, own_end], [], [])
    if own_end in ended or select.select([own_end], [], [], GRACE_S)[0]:
        return
    # Killed until none is left: a launcher may start another between two looks.
    while left := [pid for pid in session_members(session) if pid != os.getpid()]:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_TICK_S)


if __name__ == "__main__":
    main(sys.argv[1:])
