"""Samples in chunks of several layouts and codecs: room on disk, rates of reading whole samples and slabs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from benchmarks.training_input_counts import Counts
from cosmology.codec import Codec
from cosmology.hdf5 import created, open_file
from cosmology.stored_counts import PLANES_BYTES, StoredCounts, create_counts
from saih.machine.page_cache import drop

SLAB_PARTS = 4
"""Ranks that share a sample: each reads so many of its planes."""
_ROW_BYTES = 2**26
"""Rows of a file together have about so many bytes, so that small samples are timed too."""
_MOST_ROWS = 32

Chunk = tuple[int, ...]
LAYOUTS: Mapping[str, Callable[[Chunk], Chunk]] = {
    "whole": lambda shape: (1, *shape),
    "octants": lambda shape: (1, shape[0], *(side // 2 for side in shape[1:])),
    "planes": lambda shape: (1, shape[0], _planes(shape, shape[0]), *shape[2:]),
    "planes of a channel": lambda shape: (1, 1, _planes(shape, 1), *shape[2:]),
}
CODECS = (str(Codec.BITSHUFFLE_LZ4), str(Codec.GZIP), "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """One layout and codec; rates are of unpacked bytes that were asked for, by one thread."""

    layout: str
    codec: str
    ratio: float
    """Unpacked over stored."""
    warm_bytes_per_s: float
    """From the page cache, in processor time: what one core does."""
    cold_bytes_per_s: float | None
    """With the file dropped from the page cache, in wall time; None where it could not be."""
    slab_bytes_per_s: float
    """Of a quarter of the planes of a warm file, in processor time."""


def layout_rates(folder: Path, sample: Counts, layout: str, codec: str, num_turns: int) -> Rates:
    """Write some copies of a sample, and read them: the fastest of ``num_turns``."""
    path = folder / "layout.h5"
    num_rows = min(max(1, _ROW_BYTES // sample.nbytes), _MOST_ROWS)
    _write(path, sample, LAYOUTS[layout](sample.shape), codec, num_rows)
    side = sample.shape[1]
    rates = Rates(
        layout=layout,
        codec=codec,
        ratio=num_rows * sample.nbytes / path.stat().st_size,
        warm_bytes_per_s=_best(path, sample, codec, None, num_turns),
        cold_bytes_per_s=_cold(path, sample, codec, num_turns),
        slab_bytes_per_s=_best(path, sample, codec, (0, side // SLAB_PARTS), num_turns),
    )
    path.unlink()
    return rates


def _write(path: Path, sample: Counts, chunk: Chunk, codec: str, num_rows: int) -> None:
    shape = (num_rows, *sample.shape)
    with created(path) as file:
        if codec == "none":
            full = file.create_dataset("full", shape, "<u2", chunks=chunk, fletcher32=True)
        else:
            full = create_counts(file, shape, chunk, Codec(codec))
        for row in range(num_rows):
            full[row] = sample


def _cold(path: Path, sample: Counts, codec: str, num_turns: int) -> float | None:
    rates = [_once(path, sample, codec, None, time.perf_counter) for _ in range(num_turns) if drop(path)]
    return max(rates, default=None)


def _best(path: Path, sample: Counts, codec: str, planes: tuple[int, int] | None, num_turns: int) -> float:
    return max(_once(path, sample, codec, planes, time.thread_time) for _ in range(num_turns + 1))


def _once(
    path: Path, sample: Counts, codec: str, planes: tuple[int, int] | None, clock: Callable[[], float]
) -> float:
    """Bytes that were asked for in a second of a clock: every row once, through the product's reader."""
    begin, end = planes or (0, sample.shape[1])
    into = np.zeros((sample.shape[0], end - begin, *sample.shape[2:]), np.uint16)
    with open_file(path) as file:
        read = _reader(file["full"], codec)
        num_rows = len(file["full"])
        start_s = clock()
        for row in range(num_rows):
            read(row, into, planes)
        duration_s = clock() - start_s
    if not np.array_equal(into, sample[:, begin:end]):
        raise RuntimeError(f"{path} does not give back what was written")
    return num_rows * into.nbytes / duration_s


def _reader(full: h5py.Dataset, codec: str) -> Callable[[int, Counts, tuple[int, int] | None], None]:
    if codec != "none":
        stored = StoredCounts(full)
        return lambda row, into, planes: stored.read(row, into, planes, is_checked_later=planes is None)

    def read(row: int, into: Counts, planes: tuple[int, int] | None) -> None:
        begin, end = planes or (0, full.shape[2])
        full.read_direct(into, np.s_[row, :, begin:end])

    return read


def _planes(shape: Chunk, channels: int) -> int:
    """As many planes of some channels as a chunk of planes may have bytes, a quarter of them at most."""
    planes = shape[1] // SLAB_PARTS
    while 2 * channels * planes * shape[2] * shape[3] > PLANES_BYTES and planes % 2 == 0:
        planes //= 2
    return planes
