"""A folder of this job on one node, which goes away with the job, or at the next start after a kill."""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from saih.domain.errors import EnvironmentMissing

_LOCK_SUFFIX = ".lock"
_REMEDY = "name a folder of each node's own: staging_folder of the site file, or TMPDIR."


@contextmanager
def staging_folder(base: Path, name: str) -> Iterator[Path]:
    """An empty folder below ``base`` that this process holds while it lives.

    What processes left that were killed is removed first: they held a lock, which their end gave up.

    Raises:
        EnvironmentMissing: when nothing can be made there, or somebody else's folder is in the way.
    """
    try:
        root = _own_root(base)
        with _locked(root / _LOCK_SUFFIX):
            _remove_leftovers(root)
            held = os.open(_lock_of(root, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(held, fcntl.LOCK_EX)
            (root / name).mkdir()
    except OSError as error:
        raise EnvironmentMissing(f"no data can be staged below {base}: {error}", _REMEDY) from error
    try:
        yield root / name
    finally:
        with _locked(root / _LOCK_SUFFIX):
            _remove(root, name)
        os.close(held)


def _own_root(base: Path) -> Path:
    """A folder that nobody else can write to; ``base`` may be everybody's."""
    root = base / f"saih-staging-{os.getuid()}"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = root.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise EnvironmentMissing(f"{root} is no folder of this user's", _REMEDY)
    return root


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Nobody else of this user looks for leftovers, or begins, meanwhile."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _remove_leftovers(root: Path) -> None:
    for lock in root.glob(f"?*{_LOCK_SUFFIX}"):
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(root, lock.name.removesuffix(_LOCK_SUFFIX))
        except BlockingIOError:  # its process lives
            continue
        finally:
            os.close(handle)


def _remove(root: Path, name: str) -> None:
    shutil.rmtree(root / name, ignore_errors=True)
    with suppress(FileNotFoundError):
        _lock_of(root, name).unlink()


def _lock_of(root: Path, name: str) -> Path:
    return root / f"{name}{_LOCK_SUFFIX}"
