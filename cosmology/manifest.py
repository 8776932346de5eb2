"""The manifest of a data set: written last, it says that the data set is whole, and what it holds.

JSON lines, written and read as a stream: what the data set is, a line for each shard, how often voxels hold
how many particles, and a checksum of it all.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosmology.checked_lines import read_checked_lines, write_checked_lines
from cosmology.dataset_error import DatasetError
from cosmology.definition import SCHEMA_VERSION
from cosmology.durable_file import remove_leftovers, sha256_of
from cosmology.hdf5 import REMEDY, naming_damage
from cosmology.layout import DatasetLayout, dataset_folder, shard_path
from cosmology.shard import added
from cosmology.shard_record import ShardFile, read_record, shard_file

_NAME = "manifest.jsonl"
_OLD_NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a data set is: enough to read its samples without knowing who made it."""

    schema_version: int
    dataset_id: str
    canonical: Mapping[str, object]
    """Everything that decides the data set, as plain JSON values."""
    num_samples: int
    sample_shape: tuple[int, ...]
    """Channels and voxels per axis."""
    redshifts: tuple[float, ...]
    """Redshift of each channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The files of a whole data set, and the statistics that training needs."""

    header: Header
    files: tuple[ShardFile, ...]
    """In the order of the layout's universes."""
    histograms: tuple[tuple[int, ...], ...]
    """For each channel, how many voxels of all samples hold 0, 1, 2... particles."""

    @property
    def channel_mean(self) -> tuple[float, ...]:
        """Mean of log(1 + counts) of each channel."""
        return tuple(_moments(histogram)[0] for histogram in self.histograms)

    @property
    def channel_std(self) -> tuple[float, ...]:
        """Standard deviation of log(1 + counts) of each channel."""
        return tuple(_moments(histogram)[1] for histogram in self.histograms)


def manifest_path(dataset_folder: Path) -> Path:
    """Where the manifest of a data set is."""
    return dataset_folder / _NAME


def write_manifest(folder: Path, layout: DatasetLayout) -> None:
    """Gather the shards' records into the manifest.

    Raises:
        DatasetError: when a shard is missing or not finished.
    """
    path = manifest_path(dataset_folder(folder, layout))
    write_checked_lines(path, _lines(path.parent, layout))
    remove_leftovers(path)


def read_manifest(folder: Path, layout: DatasetLayout, *, rank: int = 0, num_ranks: int = 1) -> Manifest:
    """The manifest of a data set whose files are all there, at their full lengths.

    Ranks may share the look at the files: each takes those from ``rank`` on in steps of ``num_ranks``.

    Raises:
        DatasetError: when it is absent or damaged, of another data set, or a file is missing or truncated.
    """
    path = manifest_path(dataset_folder(folder, layout))
    manifest = read_any_manifest(path.parent)
    found = manifest.header.dataset_id
    if found != layout.dataset_id:
        raise DatasetError(
            f"{path} is of data set {found}, not {layout.dataset_id}; delete it and generate again."
        )
    due = (
        (shard_path(path.parent, number).name, layout.samples_of(number))
        for number in layout.universe_numbers
    )
    told = ((file.name, len(file.crc32c)) for file in manifest.files)
    # One by one: a hostile definition may have more universes than memory has room for their names.
    if any(one != other for one, other in zip_longest(told, due)):
        raise DatasetError(f"{path} names other files or samples than its data set has; {REMEDY}.")
    for file in manifest.files[rank::num_ranks]:
        check_present(path.parent / file.name, file)
    return manifest


def is_outdated(folder: Path, layout: DatasetLayout) -> bool:
    """Whether shards were made anew after the manifest, by libraries that write other bytes.

    Records may be cleared away once a manifest stands; without all of them no other could be written.

    Raises:
        DatasetError: when there is no whole manifest, or a shard cannot be read.
    """
    manifest = read_manifest(folder, layout)
    place = dataset_folder(folder, layout)
    try:
        found = [read_record(place / file.name).file for file in manifest.files]
    except DatasetError:
        return False
    anew = [file for file, told in zip(found, manifest.files, strict=True) if file != told]
    return bool(anew) and all(_has_bytes_of(place / file.name, file) for file in anew)


def is_sealed(dataset_folder: Path) -> bool:
    """Whether a data set was finished once: a manifest of any version is there, whole or damaged."""
    return any((dataset_folder / name).exists() for name in (_NAME, _OLD_NAME))


def read_header(dataset_folder: Path) -> Header:
    """What a data set says that it is; the rest of its manifest has been checked but is not kept.

    Raises:
        DatasetError: when the manifest is absent, damaged, or of another version.
    """
    return read_any_manifest(dataset_folder).header


def read_any_manifest(dataset_folder: Path) -> Manifest:
    """The manifest in the folder of a data set, whatever it holds; no other file is looked at.

    Raises:
        DatasetError: when it is absent, damaged, or of another version.
    """
    path = manifest_path(dataset_folder)
    if not path.exists() and (dataset_folder / _OLD_NAME).exists():
        raise DatasetError(
            f"{dataset_folder / _OLD_NAME} is of a data set of schema 1, which this version does not read; "
            "it is left as it is: read it with the version that made it, or generate it again: that "
            "makes a folder of its own."
        )
    with naming_damage(path):
        header, *files, summary = read_checked_lines(path)
        return Manifest(
            header=_header(path, header),
            files=tuple(shard_file(file) for file in files),
            histograms=tuple(tuple(histogram) for histogram in summary["histograms"]),
        )


def check_present(path: Path, file: ShardFile) -> None:
    """Refuse a shard that is missing, or not as long as it was."""
    found = path.stat().st_size if path.is_file() else None
    if found is None:
        raise DatasetError(f"{path} is missing; generate the data set (again).")
    if found != file.num_bytes:
        raise DatasetError(f"{path} has {found} bytes, not {file.num_bytes}; {REMEDY}.")


def _has_bytes_of(path: Path, file: ShardFile) -> bool:
    with naming_damage(path):
        return sha256_of(path) == file.sha256


def _lines(folder: Path, layout: DatasetLayout) -> Iterator[dict[str, object]]:
    yield {
        "schema_version": SCHEMA_VERSION,
        "dataset_id": layout.dataset_id,
        "definition": layout.canonical,
        "num_samples": layout.num_samples,
        "sample_shape": list(layout.sample_shape),
        "redshifts": list(layout.redshifts),
    }
    histograms: list[NDArray[np.int64]] = [np.zeros(0, np.int64) for _ in layout.redshifts]
    for universe in layout.universe_numbers:
        record = read_record(shard_path(folder, universe))
        if len(record.file.crc32c) != layout.samples_of(universe):
            raise DatasetError(
                f"{record.file.name} has {len(record.file.crc32c)} samples, not "
                f"{layout.samples_of(universe)}; {REMEDY}."
            )
        counted = (np.array(histogram, np.int64) for histogram in record.histograms)
        histograms = [added(total, more) for total, more in zip(histograms, counted, strict=True)]
        yield asdict(record.file)
    yield {"histograms": [histogram.tolist() for histogram in histograms]}


def _header(path: Path, content: dict[str, Any]) -> Header:  # Any: JSON
    if content["schema_version"] != SCHEMA_VERSION:
        raise DatasetError(
            f"{path} is of schema {content['schema_version']}, but this version reads {SCHEMA_VERSION}; read "
            "it with the version that made it, or generate the data set again."
        )
    if not isinstance(content["definition"], dict):
        raise TypeError("its definition is no JSON object")
    return Header(
        schema_version=SCHEMA_VERSION,
        dataset_id=content["dataset_id"],
        canonical=content["definition"],
        num_samples=content["num_samples"],
        sample_shape=tuple(content["sample_shape"]),
        redshifts=tuple(content["redshifts"]),
    )


def _moments(histogram: tuple[int, ...]) -> tuple[float, float]:
    """Mean and standard deviation of log(1 + counts), from an exact integer histogram."""
    numbers, values = np.array(histogram, np.int64), np.log1p(np.arange(len(histogram)))
    total = int(numbers.sum())
    mean = math.fsum(values * numbers) / total
    return mean, math.sqrt(math.fsum((values - mean) ** 2 * numbers) / total)
