"""What codecs of HDF5 do to the same samples: ratio, rates of writing and reading, on one core."""

import gzip
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from cosmology.codec import Codec, creation_properties

Counts = NDArray[np.uint16]
CODECS: Mapping[str, Mapping[str, object]] = {
    "none": {},
    "none, fletcher32": {"fletcher32": True},
    "bitshuffle-LZ4 (default)": creation_properties(Codec.BITSHUFFLE_LZ4),
    "shuffle, gzip-1 (fallback)": creation_properties(Codec.GZIP),
    "shuffle, gzip-6": {"compression": "gzip", "compression_opts": 6, "shuffle": True, "fletcher32": True},
    "shuffle, lzf": {"compression": "lzf", "shuffle": True, "fletcher32": True},
    "bitshuffle-zstd": {**hdf5plugin.Bitshuffle(cname="zstd"), "fletcher32": True},
    "blosc2, bitshuffle, LZ4": {
        **hdf5plugin.Blosc2(cname="lz4", filters=hdf5plugin.Blosc2.BITSHUFFLE),
        "fletcher32": True,
    },
    "blosc2, bitshuffle, zstd": {
        **hdf5plugin.Blosc2(cname="zstd", filters=hdf5plugin.Blosc2.BITSHUFFLE),
        "fletcher32": True,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecRates:
    """One codec; rates are of unpacked counts, by CPU time."""

    name: str
    ratio: float
    write_mb_per_s: float
    read_mb_per_s: float


def official_gzip_ratio(sample: Counts) -> float:
    """How much gzip at level 6 shrinks a sample: 16-bit integers, channels last, as the official ones."""
    data = np.ascontiguousarray(sample.transpose(1, 2, 3, 0)).astype("<i2").tobytes()
    return len(data) / len(gzip.compress(data, 6))


def all_codec_rates(folder: Path, samples: Sequence[Counts], num_turns: int) -> list[CodecRates]:
    """Every codec in turn, a sample a chunk: written once, read ``num_turns`` times, of which the best."""
    return [_rates(folder / "codec.h5", name, samples, num_turns) for name in CODECS]


def _rates(path: Path, name: str, samples: Sequence[Counts], num_turns: int) -> CodecRates:
    shape = samples[0].shape
    num_bytes = sum(sample.nbytes for sample in samples)
    begin = time.thread_time()
    with h5py.File(path, "w") as file:
        full = file.create_dataset("full", (len(samples), *shape), "<u2", chunks=(1, *shape), **CODECS[name])
        for row, sample in enumerate(samples):
            full[row] = sample
    written = time.thread_time()
    into = np.empty(shape, np.uint16)
    best = float("inf")
    with h5py.File(path, "r", rdcc_nbytes=0) as file:
        full = file["full"]
        for _ in range(num_turns):
            start = time.thread_time()
            for row in range(len(samples)):
                full.read_direct(into, np.s_[row])
            best = min(best, time.thread_time() - start)
    ratio = num_bytes / path.stat().st_size
    path.unlink()
    return CodecRates(
        name=name,
        ratio=ratio,
        write_mb_per_s=num_bytes / (written - begin) / 1e6,
        read_mb_per_s=num_bytes / best / 1e6,
    )
