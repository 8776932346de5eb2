"""What is known of a finished shard without opening it, kept beside it and written after it."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from crc32c import crc32c
from numpy.typing import NDArray

from cosmology.codec import Codec
from cosmology.dataset_error import DatasetError
from cosmology.durable_file import read_checked_json, write_checked_json
from cosmology.hdf5 import naming_damage


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardFile:
    """One file of a data set, as the manifest names it."""

    name: str
    num_bytes: int
    sha256: str
    codec: Codec
    crc32c: tuple[int, ...]
    """CRC-32C of each sample: its counts, then its targets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRecord:
    """One file and how often its voxels hold how many particles."""

    file: ShardFile
    histograms: tuple[tuple[int, ...], ...]
    """For each channel, how many voxels hold 0, 1, 2... particles."""


def sample_crc32c(counts: NDArray[np.uint16], targets: NDArray[np.float32]) -> int:
    """CRC-32C of one sample's counts [channel, x, y, z] and targets [4], as little-endian bytes."""
    return int(crc32c(_bytes(targets, "<f4"), crc32c(_bytes(counts, "<u2"))))


def record_path(path: Path) -> Path:
    """Where the record of a shard is."""
    return path.with_suffix(".json")


def write_record(path: Path, record: ShardRecord) -> None:
    """Keep the record of the shard at ``path``."""
    write_checked_json(record_path(path), asdict(record))


def read_record(path: Path) -> ShardRecord:
    """The record of a finished shard.

    Raises:
        DatasetError: when the shard or its record is absent, or they do not agree.
    """
    record = recorded(path)
    found = path.stat().st_size if path.is_file() else -1
    if record.file.num_bytes != found:
        raise DatasetError(f"{path} is missing or truncated; generate the data set (again).")
    return record


def recorded(path: Path) -> ShardRecord:
    """What is written of the shard at ``path``, which is not looked at.

    Raises:
        DatasetError: when the record is absent, damaged, or of another shard.
    """
    content = read_checked_json(record_path(path))
    with naming_damage(record_path(path)):
        record = ShardRecord(
            file=shard_file(content["file"]),
            histograms=tuple(tuple(histogram) for histogram in content["histograms"]),
        )
        if record.file.name != path.name:
            raise ValueError(f"it is of {record.file.name}")
    return record


def shard_file(content: dict[str, object]) -> ShardFile:
    """The file that a record or a line of the manifest names.

    Raises:
        TypeError, ValueError: when it is no such thing.
    """
    file = ShardFile(**content)  # type: ignore[arg-type]  # checked below
    texts, numbers = (file.name, file.sha256), (file.num_bytes, *file.crc32c)
    if not all(isinstance(text, str) for text in texts) or Path(file.name).name != file.name:
        raise ValueError(f"{file.name!r} is no name of a shard")
    if not all(isinstance(number, int) for number in numbers):
        raise ValueError(f"{file.name} has lengths or checksums that are no numbers")
    return ShardFile(**{**content, "codec": Codec(file.codec), "crc32c": tuple(file.crc32c)})  # type: ignore[arg-type]  # as above


def _bytes(array: NDArray[np.uint16] | NDArray[np.float32], kind: str) -> memoryview:
    return np.ascontiguousarray(array, kind).reshape(-1).view(np.uint8).data
