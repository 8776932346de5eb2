"""A data set on disk: open it, read samples; every damage is a DatasetError naming file and remedy."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from cosmology.definition import NUM_TARGETS, DatasetDefinition, DatasetError, Reuse
from cosmology.durable_file import sha256_of
from cosmology.generation import complete, is_complete, seal
from cosmology.hdf5 import naming_damage, opened
from cosmology.manifest import Manifest, dataset_folder, read_manifest
from cosmology.shard import checked_parts, shard_path

__all__ = [
    "Dataset",
    "DatasetDefinition",
    "DatasetError",
    "Reuse",
    "complete",
    "is_complete",
    "open_dataset",
    "seal",
    "verify",
]

MAX_OPEN_SHARDS = 256
"""Well below the usual limit of 1024 open files of a process."""


class Dataset:
    """Samples of one data set, read on demand; a context manager that closes its files."""

    def __init__(
        self, definition: DatasetDefinition, folder: Path, manifest: Manifest, max_open_shards: int
    ) -> None:
        self.definition = definition
        self.channel_mean = np.array(manifest.channel_mean, np.float32)
        """Mean of log(1 + counts) of each channel."""
        self.channel_std = np.array(manifest.channel_std, np.float32)
        self._max_open_shards = max_open_shards
        self._folder = dataset_folder(folder, definition)
        self._open: OrderedDict[int, tuple[h5py.File, h5py.Dataset, NDArray[np.float32]]] = OrderedDict()

    def __len__(self) -> int:
        return self.definition.num_samples

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(
        self, indices: Sequence[int] | NDArray[np.int64]
    ) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """Counts [batch, channel, x, y, z] and targets [batch, 4] of some samples; one thread at a time.

        Raises:
            DatasetError: when a sample does not verify, or an index is out of range.
        """
        counts = np.empty((len(indices), *self.definition.sample_shape), np.uint16)
        targets = np.empty((len(indices), NUM_TARGETS), np.float32)
        for place, index in enumerate(indices):
            if not 0 <= index < len(self):
                raise DatasetError(
                    f"sample {index} is asked for; the data set has samples 0 to {len(self) - 1}."
                )
            row, universe = divmod(int(index), self.definition.num_universes)
            full, labels = self._shard(universe)
            with naming_damage(shard_path(self._folder, universe)):
                full.read_direct(counts, np.s_[row], np.s_[place])
            targets[place] = labels[row]
        return counts, targets

    def close(self) -> None:
        """Close every open file."""
        while self._open:
            self._open.popitem()[1][0].close()

    def _shard(self, universe: int) -> tuple[h5py.Dataset, NDArray[np.float32]]:
        if universe not in self._open:
            if len(self._open) >= self._max_open_shards:
                self._open.popitem(last=False)[1][0].close()
            self._open[universe] = self._opened(universe)
        self._open.move_to_end(universe)
        return self._open[universe][1:]

    def _opened(self, universe: int) -> tuple[h5py.File, h5py.Dataset, NDArray[np.float32]]:
        path = shard_path(self._folder, universe)
        with naming_damage(path):
            # Without HDF5's own cache: a sample read again is read from the file, whatever its size.
            file = h5py.File(path, "r", rdcc_nbytes=0)
            try:
                full, targets = checked_parts(file, self.definition, universe)
                return file, full, targets[:]
            except BaseException:
                file.close()
                raise


def open_dataset(
    definition: DatasetDefinition, folder: Path, *, max_open_shards: int = MAX_OPEN_SHARDS
) -> Dataset:
    """The data set, once its manifest and the structure of every file have been checked.

    Raises:
        DatasetError: when it is not complete, or a file is damaged, truncated or foreign.
    """
    manifest = read_manifest(folder, definition)
    for universe in range(definition.num_universes):
        with opened(shard_path(dataset_folder(folder, definition), universe)) as file:
            checked_parts(file, definition, universe)
    return Dataset(definition, folder, manifest, max_open_shards)


def verify(definition: DatasetDefinition, folder: Path) -> None:
    """Read every byte of the data set and compare it with the manifest.

    Raises:
        DatasetError: naming the first file that does not agree.
    """
    for file in read_manifest(folder, definition).files:
        path = dataset_folder(folder, definition) / file.name
        if sha256_of(path) != file.sha256:
            raise DatasetError(f"{path} is damaged (its SHA-256 disagrees); delete it and generate again.")
