"""One driver per sweep: a lock that is held until the driver and everything it started are gone."""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from saih.domain.errors import UsageError
from saih.store.files import make_folder, starting_at

_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, 524)  # 524: ENOTSUPP of the kernel
_POLL_S = 0.1


@contextmanager
def sweep_lock(path: Path, patience_s: float, warn: Callable[[str], None]) -> Iterator[int]:
    """Hold the sweep whose lock file is ``path``; gives the descriptor for children to inherit.

    The lock belongs to the open file, not to this process: whoever inherited the descriptor holds it
    too, so the ranks of a killed driver keep it until the last one is dead. That is what
    ``patience_s`` waits for.

    Raises:
        UsageError: when another driver still holds it then, or the folder cannot be written.
    """
    with starting_at(path.parent):
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if _acquire(descriptor, path, patience_s):
            _sign(descriptor)
        else:
            warn(f"{path} is on a file system without locks: never run this sweep twice at the same time.")
        yield descriptor
    finally:
        os.close(descriptor)


def is_held(path: Path) -> bool:
    """Whether somebody runs the sweep whose lock file is ``path`` now; False where that cannot be told."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # Shared, and for a moment only: a driver that begins just then tries again, and wins.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _acquire(descriptor: int, path: Path, patience_s: float) -> bool:
    """True when the lock is held, False where the file system has none."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise _held(descriptor, path) from error
            time.sleep(_POLL_S)
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return False
            raise
        else:
            return True


def _sign(descriptor: int) -> None:
    """Leave a name for whoever is kept out; a full disk, or a pipe in place of the file, takes none."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since_utc": since})
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text.encode(), 0)


def _held(descriptor: int, path: Path) -> UsageError:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        words = f"process {holder['pid']} on {holder['host']}, since {holder['since_utc']}"
    except (OSError, ValueError, KeyError, TypeError):
        words = "a process that left no name"
    return UsageError(
        f"the sweep in {path.parent} is being run already by {words}, or by what that process started.",
        "wait until it ends, or stop it; this command then continues where it stopped.",
    )
