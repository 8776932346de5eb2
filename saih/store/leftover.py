"""What a killed writer left behind: locked while it is written, removed by the next writer."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from saih.store.files import clock_ns

_GRACE_NS = 60 * 10**9
"""What is younger may have a writer that has no lock yet."""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep others from removing ``path``, a file or folder of ours, as long as this process lives."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # no locks here: then nobody removes anything either
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def remove_abandoned(folder: Path, prefix: str) -> None:
    """Delete what stands in ``folder`` as ``PREFIX*.tmp`` and has no living writer.

    What cannot be told or deleted stays: it is in nobody's way.
    """
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(prefix) and entry.name.endswith(".tmp"):
                with suppress(OSError):
                    _remove_if_abandoned(Path(entry.path))


def _remove_if_abandoned(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if clock_ns(path.parent) - os.fstat(descriptor).st_mtime_ns < _GRACE_NS:
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
