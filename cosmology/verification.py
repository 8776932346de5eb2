"""Is every byte of a data set what was written? All damage is told, not only the first."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosmology.codec import check_available, is_available
from cosmology.dataset_error import DatasetError
from cosmology.durable_file import sha256_of
from cosmology.hdf5 import REMEDY, checked_dataset, naming_damage, opened, read_column
from cosmology.manifest import check_present, manifest_path, read_any_manifest
from cosmology.shard import TARGET_TYPE
from cosmology.shard_record import ShardFile, record_path, recorded, sample_crc32c
from cosmology.stored_counts import COUNT_TYPE, StoredCounts, chunks_of
from cosmology.universe_file import compare_with_record, read_universe_record


class Thoroughness(StrEnum):
    """How much of a data set is read."""

    BYTES = "bytes"
    """Every byte of every file is compared with its SHA-256; no codec is needed."""
    SAMPLES = "samples"
    """Besides, every sample is unpacked and compared with its CRC-32C, as training does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One thing that is not what was written."""

    path: Path
    reason: str
    """A sentence that names the file and what to do."""
    sample: int | None = None
    """Row in the file; None where the whole file is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """One file that has been looked at."""

    path: Path
    num_bytes: int = 0
    num_samples: int = 0
    damages: tuple[Damage, ...] = ()
    is_finished: bool = True
    """False where its record, which is written last, is still to come: nothing says what it should be."""


def verify(dataset_folder: Path, thoroughness: Thoroughness = Thoroughness.SAMPLES) -> Iterator[FileCheck]:
    """Look at every file of a data set: its manifest, then its shards and their records.

    Where the manifest is damaged, the shards are compared with their records, as far as these are whole.

    Raises:
        DatasetError: when samples are to be unpacked whose codec is not installed.
    """
    path = manifest_path(dataset_folder)
    expected: dict[str, ShardFile] = {}
    sample_shape: tuple[int, ...] = ()
    try:
        manifest = read_any_manifest(dataset_folder)
    except DatasetError as error:
        yield FileCheck(path=path, damages=(Damage(path=path, reason=str(error)),))
    else:
        expected = {file.name: file for file in manifest.files}
        sample_shape = manifest.header.sample_shape
        yield FileCheck(path=path, num_bytes=path.stat().st_size)
    for shard in sorted(
        {dataset_folder / name for name in expected} | set(dataset_folder.glob("shard-*.h5"))
    ):
        record_check, of_record = _record_check(shard, expected.get(shard.name))
        yield record_check
        file = expected.get(shard.name) or of_record
        if file is not None:
            yield check_shard(shard, file, sample_shape, thoroughness)


def verify_universes(universes_folder: Path) -> Iterator[FileCheck]:
    """Look at every universe that is cached in a folder: each is compared with its record.

    One without a record is unfinished: whoever makes it was killed before the end, or is about to write it.
    """
    for path in sorted(universes_folder.glob("universe-*.h5")):
        looked_at = path.with_suffix(".json")
        if not looked_at.exists():
            yield FileCheck(path=path, is_finished=False)
            continue
        try:
            record = read_universe_record(path)
            yield FileCheck(path=looked_at, num_bytes=looked_at.stat().st_size)
            looked_at = path
            compare_with_record(path, record)
            yield FileCheck(path=path, num_bytes=record.num_bytes)
        except DatasetError as error:
            problem = str(error).rpartition("; ")[0]
            reason = (
                f"{problem}; delete {path.name} and {path.with_suffix('.json').name} there: both are only "
                "kept to save time, and are made again where they are needed."
            )
            yield FileCheck(path=looked_at, damages=(Damage(path=looked_at, reason=reason),))


def check_shard(
    path: Path, file: ShardFile, sample_shape: tuple[int, ...], thoroughness: Thoroughness
) -> FileCheck:
    """Compare a shard with what the manifest says of it; without a ``sample_shape`` only its bytes."""
    result = FileCheck(path=path, num_bytes=file.num_bytes, num_samples=len(file.crc32c))
    try:
        check_present(path, file)
        with naming_damage(path):
            is_whole = sha256_of(path) == file.sha256
    except DatasetError as error:
        return replace(result, damages=(Damage(path=path, reason=str(error)),))
    damages: tuple[Damage, ...] = ()
    if not is_whole:
        damages = (Damage(path=path, reason=f"{path} is damaged (its SHA-256 disagrees); {REMEDY}."),)
    if thoroughness is Thoroughness.SAMPLES:
        check_available(file.codec, f"the samples of {path} cannot be unpacked (its bytes can be verified)")
    if sample_shape and (thoroughness is Thoroughness.SAMPLES or not is_whole) and is_available(file.codec):
        damages += tuple(_damaged_samples(path, file, sample_shape))
    return replace(result, damages=damages)


def _record_check(shard: Path, file: ShardFile | None) -> tuple[FileCheck, ShardFile | None]:
    """The record beside a shard; once a manifest stands for it, it may be absent."""
    path = record_path(shard)
    try:
        found = recorded(shard).file
    except DatasetError as error:
        is_needed = file is None or path.exists()
        damages = (Damage(path=path, reason=str(error)),) if is_needed else ()
        return FileCheck(path=path, damages=damages), None
    if file is not None and found != file:
        reason = (
            f"{path} disagrees with the manifest about {shard.name}; delete both files and generate again."
        )
        return FileCheck(path=path, damages=(Damage(path=path, reason=reason),)), found
    return FileCheck(path=path, num_bytes=path.stat().st_size), found


def _damaged_samples(path: Path, file: ShardFile, sample_shape: tuple[int, ...]) -> Iterator[Damage]:
    rows = len(file.crc32c)
    try:
        with opened(path) as open_shard:
            shape = (rows, *sample_shape)
            stored = StoredCounts(
                checked_dataset(open_shard, "full", shape, COUNT_TYPE, chunks_of(sample_shape))
            )
            targets = read_column(open_shard, "unitPar", (rows, 4), TARGET_TYPE)
            sample = np.empty(sample_shape, np.uint16)
            for row in range(rows):
                reason = _damage_of(path, stored, row, sample, (targets[row], file.crc32c[row]))
                if reason:
                    yield Damage(path=path, reason=reason, sample=row)
    except DatasetError as error:
        yield Damage(path=path, reason=str(error))


def _damage_of(
    path: Path,
    stored: StoredCounts,
    row: int,
    into: NDArray[np.uint16],
    expected: tuple[NDArray[np.float32], int],
) -> str:
    """What is wrong with a sample of these targets and checksum; nothing where it is whole."""
    targets, crc32c = expected
    try:
        with naming_damage(path):
            stored.read(row, into)
    except DatasetError as error:
        return str(error)
    is_whole = sample_crc32c(into, targets) == crc32c
    return "" if is_whole else f"sample {row} of {path} is damaged (its CRC-32C disagrees); {REMEDY}."
