"""The manifest of a data set: written last, it says that the data set is whole, and what it holds."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cosmology.definition import DatasetDefinition, DatasetError
from cosmology.durable_file import read_checked_json, remove_leftovers, write_checked_json
from cosmology.hdf5 import naming_damage
from cosmology.shard import ShardRecord, read_record, shard_path

_NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """One file of the data set."""

    name: str
    num_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The files of a whole data set, and the statistics that training needs."""

    files: tuple[ShardFile, ...]
    """In the order of universes."""
    channel_mean: tuple[float, ...]
    """Mean of log(1 + counts) of each channel."""
    channel_std: tuple[float, ...]


def dataset_folder(folder: Path, definition: DatasetDefinition) -> Path:
    """Where a data set is."""
    return folder / f"dataset-{definition.dataset_id}"


def manifest_path(folder: Path, definition: DatasetDefinition) -> Path:
    """Where its manifest is."""
    return dataset_folder(folder, definition) / _NAME


def write_manifest(folder: Path, definition: DatasetDefinition) -> Manifest:
    """Gather the shards' records into the manifest.

    Raises:
        DatasetError: when a shard is missing or not finished.
    """
    records = [
        read_record(shard_path(dataset_folder(folder, definition), universe))
        for universe in range(definition.num_universes)
    ]
    moments = [_moments(records, channel) for channel in range(definition.num_channels)]
    manifest = Manifest(
        files=tuple(ShardFile(name=r.name, num_bytes=r.num_bytes, sha256=r.sha256) for r in records),
        channel_mean=tuple(mean for mean, _ in moments),
        channel_std=tuple(std for _, std in moments),
    )
    path = manifest_path(folder, definition)
    identity = {"dataset_id": definition.dataset_id, "definition": definition.canonical}
    write_checked_json(path, {**identity, **asdict(manifest)})
    remove_leftovers(path)
    return manifest


def read_manifest(folder: Path, definition: DatasetDefinition) -> Manifest:
    """The manifest of a data set whose files are all there, at their full lengths.

    Raises:
        DatasetError: when it is absent or damaged, of another data set, or a file is missing or truncated.
    """
    path = manifest_path(folder, definition)
    content = read_checked_json(path)
    if content.get("dataset_id") != definition.dataset_id:
        raise DatasetError(
            f"{path} is of data set {content.get('dataset_id')}, not {definition.dataset_id}; "
            "delete it and generate again."
        )
    with naming_damage(path):
        manifest = Manifest(
            files=tuple(ShardFile(**file) for file in content["files"]),
            channel_mean=tuple(content["channel_mean"]),
            channel_std=tuple(content["channel_std"]),
        )
        for universe, file in zip(range(definition.num_universes), manifest.files, strict=True):
            _check_present(shard_path(dataset_folder(folder, definition), universe), file)
    return manifest


def _check_present(path: Path, file: ShardFile) -> None:
    found = path.stat().st_size if path.is_file() else None
    if found is None:
        raise DatasetError(f"{path} is missing; generate the data set (again).")
    if found != file.num_bytes:
        raise DatasetError(
            f"{path} has {found} bytes, not {file.num_bytes}; delete it and generate again: "
            "what is whole is kept."
        )


def _moments(records: list[ShardRecord], channel: int) -> tuple[float, float]:
    """Mean and standard deviation of log(1 + counts), from exact integer histograms."""
    longest = max(len(record.histograms[channel]) for record in records)
    histogram = np.zeros(longest, np.int64)
    for record in records:
        histogram[: len(record.histograms[channel])] += np.array(record.histograms[channel], np.int64)
    values, total = np.log1p(np.arange(longest)), int(histogram.sum())
    mean = math.fsum(values * histogram) / total
    return mean, math.sqrt(math.fsum((values - mean) ** 2 * histogram) / total)
