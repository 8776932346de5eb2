"""One shard of a data set: the samples cut from one universe, in one HDF5 file, with a record beside it."""

from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from cosmology.crops import samples
from cosmology.definition import NUM_TARGETS, REDSHIFTS, DatasetDefinition, DatasetError
from cosmology.durable_file import (
    durable_file,
    read_checked_json,
    remove_leftovers,
    sha256_of,
    write_checked_json,
)
from cosmology.hdf5 import checked_dataset, naming_damage, provenance
from cosmology.parameters import draw_targets, parameters_of
from cosmology.universe import universe_seed


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRecord:
    """What is known of a finished shard without opening it."""

    name: str
    num_bytes: int
    sha256: str
    histograms: tuple[tuple[int, ...], ...]
    """For each channel, how many voxels hold 0, 1, 2... particles."""


def shard_path(dataset_folder: Path, universe: int) -> Path:
    """Where the samples of a universe are."""
    return dataset_folder / f"shard-{universe:06d}.h5"


def write_shard(
    path: Path, definition: DatasetDefinition, universe: int, counts: NDArray[np.uint16], device: str
) -> ShardRecord:
    """Cut the samples of a universe out of its counts [channel, x, y, z]; the record is written last."""
    histograms = [np.zeros(0, np.int64) for _ in range(definition.num_channels)]
    with durable_file(path) as temporary, h5py.File(temporary, "w") as file:
        full = _create(file, definition, universe, device)
        for row, sample in enumerate(samples(definition, universe, counts)):
            full[row] = sample
            histograms = [
                _added(total, np.bincount(channel.reshape(-1)))
                for total, channel in zip(histograms, sample, strict=True)
            ]
    record = ShardRecord(
        name=path.name,
        num_bytes=path.stat().st_size,
        sha256=sha256_of(path),
        histograms=tuple(tuple(histogram.tolist()) for histogram in histograms),
    )
    write_checked_json(_record_path(path), asdict(record))
    for finished in (path, _record_path(path)):
        remove_leftovers(finished)
    return record


def read_record(path: Path) -> ShardRecord:
    """The record of a finished shard.

    Raises:
        DatasetError: when the shard or its record is absent, or they do not agree.
    """
    content = read_checked_json(_record_path(path))
    with naming_damage(_record_path(path)):
        histograms = tuple(tuple(histogram) for histogram in content["histograms"])
        record = ShardRecord(**{**content, "histograms": histograms})
    found = path.stat().st_size if path.is_file() else -1
    if record.name != path.name or record.num_bytes != found:
        raise DatasetError(f"{path} is missing or truncated; generate the data set (again).")
    return record


def checked_parts(
    file: h5py.File, definition: DatasetDefinition, universe: int
) -> tuple[h5py.Dataset, h5py.Dataset]:
    """Counts and targets of an open shard, once all that can be checked without reading them is."""
    rows = definition.samples_of(universe)
    full = checked_dataset(file, "full", (rows, *definition.sample_shape), "<u2")
    targets = checked_dataset(file, "unitPar", (rows, NUM_TARGETS), "<f4")
    if file.attrs.get("dataset_id") != definition.dataset_id:
        raise DatasetError(
            f"{file.filename} belongs to data set {file.attrs.get('dataset_id')}, "
            f"not {definition.dataset_id}; "
            "delete it and generate again."
        )
    return full, targets


def _record_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _create(file: h5py.File, definition: DatasetDefinition, universe: int, device: str) -> h5py.Dataset:
    rows = definition.samples_of(universe)
    targets = draw_targets(definition.seed, universe)
    columns = {
        "unitPar": np.tile(np.array(targets, "<f4"), (rows, 1)),
        "physPar": np.tile(np.array(parameters_of(targets).physical, "<f8"), (rows, 1)),
        "seed": np.full(rows, universe_seed(definition.seed, universe), "<u8"),
        "universe_id": np.full(rows, universe, "<i8"),
    }
    for name, column in columns.items():
        file.create_dataset(name, data=column, chunks=column.shape, fletcher32=True)
    file.attrs["dataset_id"] = definition.dataset_id
    file.attrs["redshifts"] = np.array(REDSHIFTS[: definition.num_channels])
    file.attrs["units"] = "full: particles per voxel; physPar: Omega_m, sigma8, n_s, H0 [km/s/Mpc]"
    file.attrs["provenance"] = provenance(definition.canonical, device)
    shape = definition.sample_shape
    return file.create_dataset("full", (rows, *shape), "<u2", chunks=(1, *shape), fletcher32=True)


def _added(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.zeros(max(len(one), len(other)), np.int64)
    total[: len(one)] += one
    total[: len(other)] += other
    return total
