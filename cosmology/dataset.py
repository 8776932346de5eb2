"""A data set on disk: open it, read samples; every damage is a DatasetError naming file and remedy."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np
from numpy.typing import NDArray

from cosmology.dataset_error import DatasetError
from cosmology.hdf5 import REMEDY, naming_damage, open_file, opened
from cosmology.layout import DatasetLayout, dataset_folder, shard_path
from cosmology.manifest import Manifest, read_manifest
from cosmology.shard import TARGET_TYPE, checked_parts
from cosmology.shard_record import sample_crc32c
from cosmology.stored_counts import StoredCounts

MAX_OPEN_SHARDS = 256
"""Well below the usual limit of 1024 open files of a process."""


class Dataset:
    """Samples of one data set, read on demand; a context manager that closes its files."""

    def __init__(
        self, definition: DatasetLayout, folder: Path, manifest: Manifest, max_open_shards: int
    ) -> None:
        self.definition = definition
        self.channel_mean = np.array(manifest.channel_mean, np.float32)
        """Mean of log(1 + counts) of each channel."""
        self.channel_std = np.array(manifest.channel_std, np.float32)
        self._max_open_shards = max_open_shards
        self._folder = dataset_folder(folder, definition)
        self._checksums = {
            universe: np.array(file.crc32c, np.uint32)
            for universe, file in zip(definition.universe_numbers, manifest.files, strict=True)
        }
        self._open: OrderedDict[int, _OpenShard] = OrderedDict()
        self._readers: Counter[int] = Counter()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.definition.num_samples

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(
        self, indices: Sequence[int] | NDArray[np.int64], planes: tuple[int, int] | None = None
    ) -> tuple[NDArray[np.uint16], NDArray[np.float32]]:
        """Counts [batch, channel, x, y, z] and targets [batch, 4] of some samples.

        ``planes``: only those from the first up to the second along x are read, and checked by the
        checksums of their chunks; whole samples are checked by those of the manifest. Several threads may
        call it at once.

        Raises:
            DatasetError: when a sample does not verify, or an index or a plane is out of range.
        """
        channels, side, *others = self.definition.sample_shape
        begin, end = planes or (0, side)
        if not 0 <= begin < end <= side:
            raise DatasetError(f"planes {begin} to {end} are asked for; a sample has planes 0 to {side}.")
        counts = np.empty((len(indices), channels, end - begin, *others), np.uint16)
        targets = np.empty((len(indices), 4), TARGET_TYPE)
        for place, index in enumerate(indices):
            if not 0 <= index < len(self):
                raise DatasetError(
                    f"sample {index} is asked for; the data set has samples 0 to {len(self) - 1}."
                )
            universe, row = self.definition.place_of(int(index))
            with self._held(universe) as shard:
                targets[place] = shard.read(row, counts[place], None if planes is None else (begin, end))
        return counts, targets

    def close(self) -> None:
        """Close every open file."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].file.close()

    @contextmanager
    def _held(self, universe: int) -> Iterator["_OpenShard"]:
        """An open shard that no other thread closes meanwhile."""
        with self._lock:
            if universe not in self._open:
                self._close_one()
                path = shard_path(self._folder, universe)
                self._open[universe] = _opened(path, self.definition, universe, self._checksums[universe])
            self._open.move_to_end(universe)
            self._readers[universe] += 1
            shard = self._open[universe]
        try:
            yield shard
        finally:
            with self._lock:
                self._readers[universe] -= 1

    def _close_one(self) -> None:
        """Make room for a file: close the one that was not read for longest, and is not being read now."""
        if len(self._open) >= self._max_open_shards:
            idle = next((universe for universe in self._open if not self._readers[universe]), None)
            if idle is not None:
                self._open.pop(idle).file.close()


def open_dataset(
    definition: DatasetLayout,
    folder: Path,
    *,
    max_open_shards: int = MAX_OPEN_SHARDS,
    rank: int = 0,
    num_ranks: int = 1,
) -> Dataset:
    """The data set, once its manifest and the structure of every file have been checked.

    Ranks share the look at the files: each takes those from ``rank`` on in steps of ``num_ranks``.

    Raises:
        DatasetError: when it is not complete, or a file is damaged, truncated or foreign.
    """
    manifest = read_manifest(folder, definition, rank=rank, num_ranks=num_ranks)
    for universe in definition.universe_numbers[rank::num_ranks]:
        with opened(shard_path(dataset_folder(folder, definition), universe)) as file:
            checked_parts(file, definition, universe)
    return Dataset(definition, folder, manifest, max_open_shards)


@dataclass(frozen=True, slots=True)
class _OpenShard:
    path: Path
    file: h5py.File
    counts: StoredCounts
    targets: NDArray[np.float32]
    checksums: NDArray[np.uint32]

    def read(self, row: int, into: NDArray[np.uint16], planes: tuple[int, int] | None) -> NDArray[np.float32]:
        """Unpack the counts of a sample, or some of its planes; gives its targets.

        A whole sample and its targets have the checksum of the manifest; planes have those of their chunks.
        """
        with naming_damage(self.path):
            self.counts.read(row, into, planes, is_checked_later=planes is None)
        if planes is None and sample_crc32c(into, self.targets[row]) != self.checksums[row]:
            raise DatasetError(
                f"sample {row} of {self.path} is damaged (its CRC-32C disagrees with the manifest); {REMEDY}."
            )
        return self.targets[row]


def _opened(
    path: Path, definition: DatasetLayout, universe: int, checksums: NDArray[np.uint32]
) -> _OpenShard:
    with naming_damage(path):
        file = open_file(path)
        try:
            return _OpenShard(path, file, *checked_parts(file, definition, universe), checksums)
        except BaseException:
            file.close()
            raise
