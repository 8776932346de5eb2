"""Files that are either whole or absent: write beside, fsync, publish, fsync the folder."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from saih.domain.errors import DamagedData, SaihError, UsageError

MAX_JSON_BYTES = 256 * 2**20
MAX_STEPS_BYTES = 2**30
_REMEDIES = {
    errno.ENOSPC: "free some space on that file system, or name another results folder.",
    errno.EDQUOT: "your disk quota is used up: delete something, or name another results folder.",
    errno.EROFS: "that file system is read-only: name another results folder.",
}


def write_file(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path``, replacing what is there, so that a crash leaves the old or the new."""
    _replace(path, _write_beside(path, data))
    sync_folder(path.parent)


def put_file(path: Path, data: bytes) -> None:
    """The same, but a loss of power may take the file away again until ``sync_all`` got it and its folder."""
    _replace(path, _write_beside(path, data, is_synced=False))


def _replace(path: Path, temporary: Path) -> None:
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def publish_file(path: Path, data: bytes) -> bool:
    """Put ``data`` at ``path`` unless something is there already; False then. The first one wins."""
    temporary = _write_beside(path, data)
    try:
        os.link(temporary, path)
    except FileExistsError:
        # A retried NFS request may report its own success as a collision.
        if temporary.stat().st_nlink != 2:
            return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        # No hard links here (FAT, some FUSE): one writer per attempt makes check-then-rename enough.
        if path.exists():
            return False
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)
    return True


def read_file(path: Path | str, max_bytes: int) -> bytes:
    """The bytes of a regular file of at most ``max_bytes``.

    Raises:
        DamagedData: for a link, device or pipe, a file that is too large, or one that cannot be read.
        FileNotFoundError: when nothing is there.
    """
    try:
        # O_NONBLOCK: opening a pipe that nobody writes must not wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _unreadable(path, "it is not a regular file")
            if status.st_size > max_bytes:
                raise _unreadable(path, f"it has {status.st_size} bytes, more than {max_bytes}")
            # Not max_bytes: a buffer of that size is taken at once, where memory may have run out.
            return _read_up_to(descriptor, status.st_size)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = "it is a link" if error.errno == errno.ELOOP else _words(error)
        raise _unreadable(path, reason) from error


def make_folder(path: Path) -> None:
    """Make ``path`` and its parents, readable for their owner only; existing folders are left alone."""
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            with suppress(FileExistsError):  # two writers may make it at the same time
                folder.mkdir(mode=0o700)
            sync_folder(folder.parent)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def remove_temporaries(path: Path) -> int:
    """Delete the writes below ``path`` that were cut short, and count them. Only for its one writer."""
    num_removed = 0
    for folder, _, names in os.walk(path):
        for name in names:
            if name.startswith(".") and name.endswith(".tmp"):
                (Path(folder) / name).unlink(missing_ok=True)
                num_removed += 1
    return num_removed


def clock_ns(folder: Path) -> int:
    """What the clock of the file system of ``folder`` says now, by which it dates its files [ns]."""
    temporary = _write_beside(folder / "clock", b"")
    try:
        return temporary.stat().st_mtime_ns
    finally:
        temporary.unlink(missing_ok=True)


def sync_all(paths: Sequence[Path]) -> None:
    """Make files, and the names in folders, durable at the same time: one commit then serves all of them."""
    with ThreadPoolExecutor(len(paths)) as pool:
        list(pool.map(sync_folder, paths))


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, or what is in a file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder; their rename is then as durable as it gets.
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(descriptor)


@contextmanager
def starting_at(path: Path) -> Iterator[None]:
    """Turn a failed write into a UsageError: nothing was started yet."""
    try:
        yield
    except OSError as error:
        raise UsageError(_problem(path, error), _remedy(error)) from error


@contextmanager
def writing_at(path: Path) -> Iterator[None]:
    """Turn a failed write into a SaihError: the run was under way."""
    try:
        yield
    except OSError as error:
        raise SaihError(
            _problem(path, error), f"{_remedy(error)} Then run the same command again."
        ) from error


def _write_beside(path: Path, data: bytes, *, is_synced: bool = True) -> Path:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if is_synced:
                os.fsync(descriptor)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _read_up_to(descriptor: int, num_bytes: int) -> bytes:
    """So many bytes, or fewer where the file ends early; one call nearly always."""
    data = os.read(descriptor, num_bytes)
    while 0 < len(data) < num_bytes and (more := os.read(descriptor, num_bytes - len(data))):
        data += more
    return data


def _problem(path: Path, error: OSError) -> str:
    return f"cannot write in {path}: {_words(error)}."


def _remedy(error: OSError) -> str:
    return _REMEDIES.get(error.errno or 0, "check the permissions of the folder, or name another one.")


def _words(error: OSError) -> str:
    return error.strerror or str(error)


def _unreadable(path: Path | str, reason: str) -> DamagedData:
    return DamagedData(f"{path} cannot be read: {reason}.", "restore the file from a copy, or delete it.")
