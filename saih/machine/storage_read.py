"""Probes of storage: a file of the data folder read in pieces, in and out of the page cache."""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Literal

from saih.domain.ceiling import CeilingKind
from saih.machine.page_cache import AvoidedCache, DroppedCache, KeptCache, PageCache, aligned_buffer
from saih.machine.sampling import CurveName, Probe, Rung

Order = Literal["random", "sequential"]
WARM, COLD = CeilingKind.STORAGE_READ, CeilingKind.STORAGE_COLD
_READ_SIZES_BYTES = (2**16, 2**19, 2**22)
_LEAST_CALL_BYTES = 2**20
_REPEAT_BYTES = 2**24
"""Of one repeat at most: of short repeats the median leaves out those that another program disturbed."""
"""Several readers do at least so much in one call: handing it to threads would be what is timed."""
_CACHES: dict[CeilingKind, tuple[Callable[[Path], PageCache], ...]] = {
    WARM: (KeptCache,),
    COLD: (AvoidedCache, DroppedCache),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """How a file is read: in which order, by how many threads of each rank at once."""

    order: Order = "random"
    num_readers: int = 1

    @property
    def name(self) -> str:
        """Such as ``random`` or ``sequential, 4 readers``."""
        return self.order if self.num_readers == 1 else f"{self.order}, {self.num_readers} readers"


PATTERNS = (
    Pattern(),
    Pattern(order="sequential"),
    Pattern(num_readers=2),
    Pattern(num_readers=4),
)
"""The first is how samples are read."""


def storage_name(kind: CeilingKind, pattern: Pattern) -> CurveName:
    """The curve of one pattern with the page cache warm or cold."""
    state = "warm" if kind is WARM else "cold"
    return CurveName(
        kind=kind,
        precision="",
        unit=f"bytes/s (page cache {state})",
        size_unit="bytes per read",
        variant=pattern.name,
    )


def storage_rungs(kind: CeilingKind, path: Path | None, pattern: Pattern) -> list[Rung]:
    """Reads of a file that the page cache holds, or does not.

    Cold reads go around the cache (O_DIRECT) or follow a drop of the file, whichever is faster. Caches
    beyond the node (of a file server, a RAID controller, a hypervisor) stay as they are.
    """
    rungs = []
    for size in _READ_SIZES_BYTES:
        pieces = 1 if pattern.num_readers == 1 else max(pattern.num_readers, _LEAST_CALL_BYTES // size)
        ways = tuple(partial(_reads, path, size, pieces, pattern, cache) for cache in _CACHES[kind])
        rungs.append(Rung(size=float(size), work=float(size * pieces), ways=ways))
    return rungs


def _reads(
    path: Path | None, size: int, pieces: int, pattern: Pattern, cache: Callable[[Path], PageCache]
) -> Probe:
    if path is None:
        raise OSError("there is no room for a file to read in the data folder")
    num_pieces = path.stat().st_size // size
    if num_pieces < pieces:
        raise OSError(f"the file of {num_pieces} pieces is too small for {pattern.num_readers} readers")
    offsets = [size * piece for piece in range(num_pieces)]
    if pattern.order == "random":
        random.Random(size).shuffle(offsets)  # noqa: S311  # an order of reads, not a secret
    state = cache(path)
    state.restore()
    readers = [
        _Reader(path=path, flags=state.flags, offsets=cycle(share), buffer=memoryview(aligned_buffer(size)))
        for share in (offsets[index :: pattern.num_readers] for index in range(pattern.num_readers))
    ]
    return Probe(
        call=readers[0].read_next if pattern.num_readers == 1 else _together(readers, pieces),
        before=state.restore,
        verify=state.verify,
        # A piece that is read twice would come from a cache the second time.
        max_calls=min(num_pieces, max(pieces, _REPEAT_BYTES // size)) // pieces,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    path: Path
    flags: int
    offsets: Iterator[int]
    buffer: memoryview

    def read_next(self) -> None:
        # Opened every time, as a loader opens the file of a sample.
        descriptor = os.open(self.path, os.O_RDONLY | self.flags)
        try:
            read = os.preadv(descriptor, [self.buffer], next(self.offsets))
        finally:
            os.close(descriptor)
        if read != len(self.buffer):
            raise OSError(f"read {read} bytes of {self.path} instead of {len(self.buffer)}")


def _together(readers: Sequence[_Reader], pieces: int) -> Callable[[], object]:
    """One call of all readers at once, with the same number of pieces each."""
    pool = ThreadPoolExecutor(max_workers=len(readers))  # its threads end with the probe

    def many(reader: _Reader) -> None:
        for _ in range(pieces // len(readers)):
            reader.read_next()

    def call() -> None:
        for _ in pool.map(many, readers):
            pass

    return call
