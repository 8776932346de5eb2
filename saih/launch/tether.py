"""Run a command that dies with its parent: ``python -m saih.launch.tether SIGNAL PARENT COMMAND...``.

``SIGNAL`` is the number of the signal that the command gets when its parent ends, however that ends.
``PARENT`` is the process id that the parent must have, or 0 for any that still lives.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_ORPHANED = 1


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
    os.execvp(arguments[2], arguments[2:])  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
