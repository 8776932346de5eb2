"""The page cache around a file that is read for a ceiling: kept in it, dropped from it, or gone around."""

import ctypes
import mmap
import os
from pathlib import Path
from typing import Protocol

import numpy as np

_DROP_TRIES = 20
_BUFFER_BYTES = 2**22
_LIBC = ctypes.CDLL(None, use_errno=True)


class PageCache(Protocol):
    """What reads of one file do about the page cache."""

    flags: int
    """Added to those of opening the file."""

    def restore(self) -> None:
        """Bring the file into the state that is to be measured; called before every repeat."""

    def verify(self) -> None:
        """Do nothing when every read met that state.

        Raises:
            OSError: otherwise.
        """


class KeptCache:
    """Keeps a file in the page cache."""

    flags = 0

    def __init__(self, path: Path) -> None:
        self._path = path

    def restore(self) -> None:
        """Read the file from end to end."""
        buffer = bytearray(_BUFFER_BYTES)
        with self._path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    def verify(self) -> None:
        """Nothing to check: what was read just now is in the cache, or the ceiling is the slower one."""


class DroppedCache:
    """Drops a file from this node's page cache, and remembers whether that ever failed."""

    flags = 0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._num_kept = 0

    def restore(self) -> None:
        """Drop the file; reads in flight and pages on other processors' lists take another try."""
        self._num_kept += not drop(self._path)

    def verify(self) -> None:
        """Do nothing when every drop worked.

        Raises:
            OSError: otherwise.
        """
        if self._num_kept:
            raise OSError(f"the file system kept {self._path} in its cache {self._num_kept} times")


class AvoidedCache:
    """Reads with O_DIRECT, and checks that this left nothing in the page cache: some only say so."""

    flags = os.O_DIRECT

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_dropped = False

    def restore(self) -> None:
        """Drop the file once, so that what is in the cache at the end came from these reads."""
        if not self._is_dropped and not drop(self._path):
            raise OSError(f"the file system keeps {self._path} in its cache")
        self._is_dropped = True

    def verify(self) -> None:
        """Do nothing when the reads left nothing in the cache.

        Raises:
            OSError: otherwise.
        """
        if resident_bytes(self._path):
            raise OSError(f"the file system caches {self._path} in spite of O_DIRECT")


def aligned_buffer(size: int) -> mmap.mmap:
    """Memory that begins at a page, as O_DIRECT needs it."""
    return mmap.mmap(-1, size)


def drop(path: Path) -> bool:
    """Drop a file from this node's page cache; whether that worked."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        for _ in range(_DROP_TRIES):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            if resident_bytes(path) == 0:
                return True
    finally:
        os.close(descriptor)
    return False


def resident_bytes(path: Path) -> int:
    """How much of a file is in this node's page cache, in whole pages.

    By mincore(2), which reads nothing: asking with a read that must not wait would start reading ahead.

    Raises:
        OSError: where the kernel does not say.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as pages:
        mapped = np.frombuffer(pages, np.uint8)
        found = np.zeros(-(-len(mapped) // mmap.PAGESIZE), np.uint8)
        failed = _LIBC.mincore(
            ctypes.c_void_p(mapped.ctypes.data),
            ctypes.c_size_t(len(mapped)),
            ctypes.c_void_p(found.ctypes.data),
        )
        del mapped  # the map cannot be closed while it is looked at
    if failed:
        raise OSError(ctypes.get_errno(), f"the kernel does not say what it caches of {path}")
    return int((found & 1).sum()) * mmap.PAGESIZE
