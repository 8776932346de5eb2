"""Shards as the product writes and reads them, with all of their checksums."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosmology.codec import Codec
from cosmology.dataset import open_dataset
from cosmology.definition import DatasetDefinition
from cosmology.hdf5 import opened
from cosmology.layout import dataset_folder, shard_path
from cosmology.manifest import write_manifest
from cosmology.shard import LabelledSample, checked_parts, write_samples
from cosmology.stored_counts import StoredCounts

Counts = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRates:
    """One codec; rates are of unpacked counts, by CPU time."""

    codec: Codec
    ratio: float
    write_mb_per_s: float
    decode_mb_per_s: float
    """Best turn of unpacking."""
    least_decode_mb_per_s: float
    """Worst turn."""
    read_mb_per_s: float
    """Through ``Dataset``: unpacked and compared with the checksum of each sample; best turn."""


def product_rates(folder: Path, samples: Sequence[Counts], num_turns: int) -> list[ProductRates]:
    """Both codecs of the product, the default first."""
    return [_rates(folder / codec, codec, samples, num_turns) for codec in Codec]


def _rates(folder: Path, codec: Codec, samples: Sequence[Counts], num_turns: int) -> ProductRates:
    definition = DatasetDefinition(
        seed=0, num_samples=len(samples), num_universes=1, resolution=128, simulation_side=256
    )
    path = shard_path(dataset_folder(folder, definition), 0)
    num_bytes = sum(sample.nbytes for sample in samples)
    labelled = (
        LabelledSample(counts=sample, targets=(0.0,) * 4, physical=(0.3, 0.8, 0.96, 70.0), seed=0, universe=0)
        for sample in samples
    )
    write_s = _duration_s(lambda: write_samples(path, definition, 0, labelled, "{}", codec))
    write_manifest(folder, definition)
    into = np.empty(definition.sample_shape, np.uint16)
    with opened(path) as file:
        counts, _ = checked_parts(file, definition, 0)
        decodes_s = [_duration_s(lambda: _decode_all(counts, len(samples), into)) for _ in range(num_turns)]
    with open_dataset(definition, folder) as dataset:
        reads_s = [
            _duration_s(lambda: [dataset.read([row]) for row in range(len(samples))])
            for _ in range(num_turns)
        ]
    return ProductRates(
        codec=codec,
        ratio=num_bytes / path.stat().st_size,
        write_mb_per_s=num_bytes / write_s / 1e6,
        decode_mb_per_s=num_bytes / min(decodes_s) / 1e6,
        least_decode_mb_per_s=num_bytes / max(decodes_s) / 1e6,
        read_mb_per_s=num_bytes / min(reads_s) / 1e6,
    )


def _decode_all(counts: StoredCounts, num_samples: int, into: Counts) -> None:
    for row in range(num_samples):
        counts.read(row, into)


def _duration_s(work: Callable[[], object]) -> float:
    """CPU time of this thread, which neighbours on the core disturb least."""
    begin = time.thread_time()
    work()
    return time.thread_time() - begin
