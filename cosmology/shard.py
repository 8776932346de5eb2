"""One shard of a data set: the samples of one universe, in one HDF5 file, with a record beside it."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from cosmology.codec import Codec, default_codec
from cosmology.dataset_error import DatasetError
from cosmology.durable_file import durable_file, remove_leftovers, sha256_of
from cosmology.hdf5 import REMEDY, checked_dataset, created, read_column, write_column
from cosmology.layout import DatasetLayout
from cosmology.shard_record import (
    ShardFile,
    ShardRecord,
    read_record,
    record_path,
    sample_crc32c,
    write_record,
)
from cosmology.stored_counts import COUNT_TYPE, StoredCounts, chunk_of, chunks_of, create_counts

TARGET_TYPE = "<f4"
_HISTOGRAM_BLOCK = 1 << 16
_UNITS = "full: particles per voxel; physPar: Omega_m, sigma8, n_s, H0 [km/s/Mpc]"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSample:
    """One sample and what it was made of."""

    counts: NDArray[np.uint16]
    """Particles in voxels [channel, x, y, z]."""
    targets: tuple[float, float, float, float]
    """Omega_m, sigma8, n_s, H0, each normalised to [-1, 1]."""
    physical: tuple[float, float, float, float]
    """Omega_m, sigma8, n_s, H0 [km/s/Mpc]."""
    seed: int
    """Seed of the universe's initial waves; 0 where nobody knows."""
    universe: int


def write_samples(
    path: Path,
    layout: DatasetLayout,
    universe: int,
    samples: Iterable[LabelledSample],
    provenance: str,
    codec: Codec | None = None,
) -> ShardRecord:
    """Write the shard of a universe, one sample in memory at a time; its record is written last.

    Where another writer finishes the same shard meanwhile, its record is given.

    Raises:
        DatasetError: when there are fewer or more samples than the layout says, or of another shape; when the
            disk is full, or ``codec`` (the fastest there is, by default) is not installed.
    """
    shard = _NewShard(layout, universe)
    try:
        return _written(path, shard, samples, provenance, codec or default_codec())
    except DatasetError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            with suppress(DatasetError):
                return read_record(path)
        raise


def checked_parts(
    file: h5py.File, layout: DatasetLayout, universe: int
) -> tuple[StoredCounts, NDArray[np.float32]]:
    """Counts and targets [row, 4] of an open shard, once all but the counts themselves has been checked."""
    rows = layout.samples_of(universe)
    shape = (rows, *layout.sample_shape)
    counts = StoredCounts(checked_dataset(file, "full", shape, COUNT_TYPE, chunks_of(layout.sample_shape)))
    targets = read_column(file, "unitPar", (rows, 4), TARGET_TYPE)
    found = file.attrs.get("dataset_id")
    found = found.decode() if isinstance(found, bytes) else found
    if found != layout.dataset_id:
        raise DatasetError(f"{file.filename} belongs to data set {found}, not {layout.dataset_id}; {REMEDY}.")
    return counts, targets


def _written(
    path: Path, shard: "_NewShard", samples: Iterable[LabelledSample], provenance: str, codec: Codec
) -> ShardRecord:
    with durable_file(path) as temporary:
        with created(temporary) as file:
            shard.fill(file, samples, codec)
            shard.describe(file, provenance)
        record = ShardRecord(
            file=ShardFile(
                name=path.name,
                num_bytes=temporary.stat().st_size,
                sha256=sha256_of(temporary),
                codec=codec,
                crc32c=tuple(shard.checksums),
            ),
            histograms=tuple(tuple(histogram.tolist()) for histogram in shard.histograms),
        )
    write_record(path, record)
    for finished in (path, record_path(path)):
        remove_leftovers(finished)
    return record


class _NewShard:
    """A shard that is being written."""

    def __init__(self, layout: DatasetLayout, universe: int) -> None:
        self._layout = layout
        self._rows = layout.samples_of(universe)
        self._targets = np.zeros((self._rows, 4), TARGET_TYPE)
        self._physical = np.zeros((self._rows, 4), "<f8")
        self._seeds = np.zeros(self._rows, "<u8")
        self._universes = np.zeros(self._rows, "<i8")
        self.checksums: list[int] = []
        self.histograms = [np.zeros(0, np.int64) for _ in range(layout.sample_shape[0])]

    def fill(self, file: h5py.File, samples: Iterable[LabelledSample], codec: Codec) -> None:
        """Write the samples one by one, then their labels."""
        shape = self._layout.sample_shape
        full = create_counts(file, (self._rows, *shape), chunk_of(shape), codec)
        row = -1
        for row, sample in enumerate(samples):
            if row >= self._rows or sample.counts.shape != shape or sample.counts.dtype != np.uint16:
                raise DatasetError(
                    f"sample {row} is {sample.counts.dtype} {sample.counts.shape}; {self._rows} samples of "
                    f"uint16 {shape} are due."
                )
            counts = np.ascontiguousarray(sample.counts)
            full[row] = counts
            self._note(row, sample, counts)
        if row + 1 != self._rows:
            raise DatasetError(f"there are {row + 1} samples, where {self._rows} are due.")
        write_column(file, "unitPar", self._targets)
        write_column(file, "physPar", self._physical)
        write_column(file, "seed", self._seeds)
        write_column(file, "universe_id", self._universes)
        full.flush()

    def describe(self, file: h5py.File, provenance: str) -> None:
        """Say what the file is, in texts of fixed length, which HDF5 keeps under its metadata's checksums."""
        file.attrs["dataset_id"] = np.bytes_(self._layout.dataset_id)
        file.attrs["redshifts"] = np.array(self._layout.redshifts)
        file.attrs["units"] = np.bytes_(_UNITS)
        file.attrs["provenance"] = np.bytes_(provenance)

    def _note(self, row: int, sample: LabelledSample, counts: NDArray[np.uint16]) -> None:
        self._targets[row], self._physical[row] = sample.targets, sample.physical
        self._seeds[row], self._universes[row] = sample.seed, sample.universe
        self.checksums.append(sample_crc32c(counts, self._targets[row]))
        self.histograms = [
            added(total, _histogram(channel.reshape(-1)))
            for total, channel in zip(self.histograms, counts, strict=True)
        ]


def _histogram(voxels: NDArray[np.uint16]) -> NDArray[np.int64]:
    """How many voxels hold 0, 1, 2... particles; by blocks, because numpy widens what it counts."""
    total = np.zeros(int(voxels.max()) + 1, np.int64)
    for begin in range(0, len(voxels), _HISTOGRAM_BLOCK):
        total += np.bincount(voxels[begin : begin + _HISTOGRAM_BLOCK], minlength=len(total))
    return total


def added(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of two histograms, as long as the longer."""
    total = np.zeros(max(len(one), len(other)), np.int64)
    total[: len(one)] += one
    total[: len(other)] += other
    return total
