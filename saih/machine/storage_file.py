"""A file of this rank's own in the data folder, to be read and thrown away."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from saih.machine.memory import disk_free_bytes

PIECE_BYTES = 2**22
"""The file is a multiple of this."""
_FILE_BYTES = 2**26
_TOTAL_BYTES = 2**32
_SHARE_OF_FREE_DISK = 0.02


@contextmanager
def probe_file(folder: Path, num_ranks: int) -> Iterator[Path | None]:
    """This rank's file of incompressible bytes in ``folder``, deleted at the end; None without room for it.

    64 MiB per rank, 4 GiB over all ranks, and 2 % of the free space at most.
    """
    path = None
    try:
        path = _write_file(folder, num_ranks)
        yield path
    finally:
        if path is not None:
            path.unlink(missing_ok=True)


def _write_file(folder: Path, num_ranks: int) -> Path | None:
    room = min(
        _FILE_BYTES, _TOTAL_BYTES // num_ranks, int(disk_free_bytes(folder) * _SHARE_OF_FREE_DISK / num_ranks)
    )
    size = room // PIECE_BYTES * PIECE_BYTES
    if size == 0:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".saih-ceiling-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for _ in range(size // PIECE_BYTES):
                file.write(os.urandom(PIECE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        Path(name).unlink(missing_ok=True)
        return None
    return Path(name)
