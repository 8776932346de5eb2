"""Probes of storage: a file of the data folder read in shuffled pieces, with and without the page cache."""

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path

from saih.domain.ceiling import CeilingKind
from saih.machine.memory import disk_free_bytes
from saih.machine.sampling import CurveName, Probe, Rung

_UNIT = "bytes/s"
WARM = CurveName(
    kind=CeilingKind.STORAGE_READ, precision="", unit=f"{_UNIT} (page cache warm)", size_unit="bytes per read"
)
DROPPED = CurveName(
    kind=CeilingKind.STORAGE_READ,
    precision="",
    unit=f"{_UNIT} (page cache dropped)",
    size_unit="bytes per read",
)
_READ_SIZES_BYTES = (2**16, 2**19, 2**22)
_FILE_BYTES = 2**26
_TOTAL_BYTES = 2**32
_SHARE_OF_FREE_DISK = 0.02
_DROP_TRIES = 20
_CHECK_STEP_BYTES = 2**20


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


def warm_rungs(path: Path | None) -> list[Rung]:
    """Shuffled reads of a file that the page cache holds: what re-reading a small data set can reach."""
    return _rungs(path, _KeptCache)


def dropped_rungs(path: Path | None) -> list[Rung]:
    """Shuffled reads of a file that was dropped from this node's page cache.

    Caches beyond the node (of a file server, a RAID controller, a hypervisor) stay as they are.
    """
    return _rungs(path, _DroppedCache)


def _write_file(folder: Path, num_ranks: int) -> Path | None:
    room = min(
        _FILE_BYTES, _TOTAL_BYTES // num_ranks, int(disk_free_bytes(folder) * _SHARE_OF_FREE_DISK / num_ranks)
    )
    size = room // _READ_SIZES_BYTES[-1] * _READ_SIZES_BYTES[-1]
    if size == 0:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".saih-ceiling-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for _ in range(size // _READ_SIZES_BYTES[-1]):
                file.write(os.urandom(_READ_SIZES_BYTES[-1]))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        Path(name).unlink(missing_ok=True)
        return None
    return Path(name)


def _rungs(path: Path | None, cache: "type[_KeptCache] | type[_DroppedCache]") -> list[Rung]:
    return [
        Rung(size=float(size), work=float(size), ways=(partial(_shuffled_reads, path, size, cache),))
        for size in _READ_SIZES_BYTES
    ]


def _shuffled_reads(path: Path | None, size: int, cache: "type[_KeptCache] | type[_DroppedCache]") -> Probe:
    if path is None:
        raise OSError("there is no room for a file to read in the data folder")
    num_pieces = path.stat().st_size // size
    offsets = [size * piece for piece in range(num_pieces)]
    random.Random(size).shuffle(offsets)  # noqa: S311  # an order of reads, not a secret
    state = cache(path)
    state.restore()
    return Probe(
        call=partial(_read_next, path, cycle(offsets), bytearray(size)),
        before=state.restore,
        verify=state.verify,
        # A piece that is read twice would come from the cache the second time.
        max_calls=num_pieces,
    )


def _read_next(path: Path, offsets: Iterator[int], buffer: bytearray) -> None:
    # Opened every time, as a loader opens the file of a sample.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        read = os.preadv(descriptor, [buffer], next(offsets))
    finally:
        os.close(descriptor)
    if read != len(buffer):
        raise OSError(f"read {read} bytes of {path} instead of {len(buffer)}")


class _KeptCache:
    """Keeps a file in the page cache."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def restore(self) -> None:
        """Read the file from end to end."""
        buffer = bytearray(_READ_SIZES_BYTES[-1])
        with self._path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    def verify(self) -> None:
        """Nothing to check: what was read just now is in the cache, or the ceiling is the slower one."""


class _DroppedCache:
    """Drops a file from this node's page cache, and remembers whether that ever failed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._num_kept = 0

    def restore(self) -> None:
        """Drop the file; reads in flight and pages on other processors' lists take another try."""
        descriptor = os.open(self._path, os.O_RDONLY)
        try:
            for _ in range(_DROP_TRIES):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                if not self._is_cached(descriptor):
                    return
            self._num_kept += 1
        finally:
            os.close(descriptor)

    def verify(self) -> None:
        """Do nothing when every drop worked.

        Raises:
            OSError: otherwise.
        """
        if self._num_kept:
            raise OSError(f"the file system kept {self._path} in its cache {self._num_kept} times")

    def _is_cached(self, descriptor: int) -> bool:
        size = os.fstat(descriptor).st_size
        return any(_is_in_memory(descriptor, offset) for offset in range(0, size, _CHECK_STEP_BYTES))


def _is_in_memory(descriptor: int, offset: int) -> bool:
    try:
        # Answers only from memory; without it there, "would block".
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) > 0
    except BlockingIOError:
        return False
