"""The cache of simulated universes: one HDF5 file each, shared by data sets of any resolution."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from cosmology.codec import default_codec
from cosmology.dataset_error import DatasetError
from cosmology.definition import UniverseDefinition
from cosmology.durable_file import (
    durable_file,
    read_checked_json,
    remove_leftovers,
    sha256_of,
    write_checked_json,
)
from cosmology.hdf5 import REMEDY, checked_dataset, created, naming_damage, opened, provenance
from cosmology.parameters import box_mpc_per_h, draw_targets, parameters_of, universe_seed
from cosmology.stored_counts import COUNT_TYPE, StoredCounts, create_counts

_MAX_CHUNK_SIDE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class UniverseRecord:
    """What is known of a finished universe without opening it; written after it."""

    name: str
    num_bytes: int
    sha256: str


def universe_path(folder: Path, definition: UniverseDefinition, number: int) -> Path:
    """Where universe ``number`` is cached."""
    return folder / f"universes-{definition.universes_id}" / f"universe-{number:06d}.h5"


def write_universe(
    path: Path,
    definition: UniverseDefinition,
    number: int,
    blocks: Iterable[tuple[int, NDArray[np.uint16]]],
    device: str,
) -> None:
    """Keep universe ``number``, given as blocks: a channel and planes of its counts [x, y, z].

    Blocks of a channel follow each other along x, and a channel ends before the next begins. The bytes of
    the file do not depend on how thick they are.

    Raises:
        DatasetError: when planes are missing, or the disk is full.
    """
    with durable_file(path) as temporary:
        with created(temporary) as file:
            shape, chunk = _shape(definition), _chunk(definition)
            full = create_counts(file, shape, chunk, default_codec())
            for channel, begin, layer in _layers(blocks, shape, chunk[1]):
                full[channel, begin : begin + len(layer)] = layer
            _describe(file, definition, number, device)
        record = UniverseRecord(
            name=path.name, num_bytes=temporary.stat().st_size, sha256=sha256_of(temporary)
        )
    write_checked_json(path.with_suffix(".json"), asdict(record))
    for finished in (path, path.with_suffix(".json")):
        remove_leftovers(finished)


def read_universe(path: Path, definition: UniverseDefinition, num_channels: int) -> NDArray[np.uint16]:
    """Counts [redshift, x, y, z] of the first channels.

    Raises:
        DatasetError: when the file is not that of such a universe, or does not verify.
    """
    check_universe(path)
    counts = np.empty((num_channels, *_shape(definition)[1:]), np.uint16)
    with opened(path) as file:
        stored = StoredCounts(
            checked_dataset(file, "full", _shape(definition), COUNT_TYPE, (_chunk(definition),))
        )
        universes_id = file.attrs.get("universes_id")
        for channel in range(num_channels):
            stored.read(channel, counts[channel])
    sums = counts.sum(axis=(1, 2, 3), dtype=np.int64)
    if universes_id != definition.universes_id.encode() or not (sums == definition.side**3).all():
        raise DatasetError(f"{path} is no universe of {definition.universes_id}; {REMEDY}.")
    return counts


def read_universe_record(path: Path) -> UniverseRecord:
    """What is written of the universe at ``path``, which is not looked at.

    Raises:
        DatasetError: when the record is absent or damaged.
    """
    content = read_checked_json(path.with_suffix(".json"))
    with naming_damage(path.with_suffix(".json")):
        return UniverseRecord(**content)


def check_universe(path: Path) -> None:
    """Compare every byte of a cached universe with its record.

    Raises:
        DatasetError: when either is absent or damaged, or they disagree.
    """
    compare_with_record(path, read_universe_record(path))


def compare_with_record(path: Path, record: UniverseRecord) -> None:
    """Compare every byte of a cached universe with what is written of it.

    Raises:
        DatasetError: when it is absent, or they disagree.
    """
    with naming_damage(path):
        if path.stat().st_size != record.num_bytes or sha256_of(path) != record.sha256:
            raise DatasetError(f"{path} is damaged (its SHA-256 disagrees); {REMEDY}.")


def _layers(
    blocks: Iterable[tuple[int, NDArray[np.uint16]]], shape: tuple[int, ...], thickness: int
) -> Iterator[tuple[int, int, NDArray[np.uint16]]]:
    """Channel, first plane and planes of layers one chunk thick, made of blocks of any thickness."""
    layer = np.empty((thickness, *shape[2:]), np.uint16)
    planes_done = [0] * shape[0]
    for channel, block in blocks:
        rest = block
        while len(rest):
            begin = planes_done[channel] % thickness
            count = min(thickness - begin, len(rest))
            layer[begin : begin + count] = rest[:count]
            planes_done[channel] += count
            rest = rest[count:]
            if begin + count == thickness:
                yield channel, planes_done[channel] - thickness, layer
    if any(done != shape[1] for done in planes_done):
        raise DatasetError(f"a universe has {planes_done} planes in its channels, where {shape[1]} are due.")


def _shape(definition: UniverseDefinition) -> tuple[int, ...]:
    return (len(definition.redshifts), *(definition.side,) * 3)


def _chunk(definition: UniverseDefinition) -> tuple[int, ...]:
    return (1, *(min(definition.side, _MAX_CHUNK_SIDE),) * 3)


def _describe(file: h5py.File, definition: UniverseDefinition, number: int, device: str) -> None:
    targets = draw_targets(definition.seed, number)
    parameters = parameters_of(targets)
    file.attrs["universes_id"] = np.bytes_(definition.universes_id)
    file.attrs["universe_id"] = number
    file.attrs["seed"] = np.uint64(universe_seed(definition.seed, number))
    file.attrs["redshifts"] = np.array(definition.redshifts)
    file.attrs["unitPar"] = np.array(targets)
    file.attrs["physPar"] = np.array(parameters.physical)
    file.attrs["box_mpc_per_h"] = box_mpc_per_h(definition.base_box_mpc_per_h, parameters)
    file.attrs["provenance"] = np.bytes_(provenance(definition.canonical, device))
