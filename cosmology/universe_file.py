"""The cache of simulated universes: one HDF5 file each, shared by data sets of any resolution."""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from cosmology.definition import REDSHIFTS, DatasetError, UniverseDefinition
from cosmology.durable_file import durable_file, remove_leftovers
from cosmology.hdf5 import checked_dataset, opened, provenance
from cosmology.universe import Universe, make_universe

_MAX_CHUNK_SIDE = 64


def universe_path(folder: Path, definition: UniverseDefinition, number: int) -> Path:
    """Where universe ``number`` is cached."""
    return folder / f"universes-{definition.universes_id}" / f"universe-{number:06d}.h5"


def write_universe(path: Path, definition: UniverseDefinition, number: int, device: str) -> None:
    """Simulate universe ``number`` and keep it."""
    universe = make_universe(definition, number, device)
    with durable_file(path) as temporary, h5py.File(temporary, "w") as file:
        _fill(file, universe, definition, number, device)
    remove_leftovers(path)


def read_universe(path: Path, definition: UniverseDefinition, num_channels: int) -> NDArray[np.uint16]:
    """Counts [redshift, x, y, z] of the first channels.

    Raises:
        DatasetError: when the file is not that of such a universe, or does not verify.
    """
    shape = (len(REDSHIFTS), *(definition.side,) * 3)
    with opened(path) as file:
        counts: NDArray[np.uint16] = checked_dataset(file, "full", shape, "<u2")[:num_channels]
        universes_id = file.attrs.get("universes_id")
    sums = counts.sum(axis=(1, 2, 3), dtype=np.int64)
    if universes_id != definition.universes_id or not (sums == definition.side**3).all():
        raise DatasetError(
            f"{path} is no universe of {definition.universes_id}; delete it and generate again."
        )
    return counts


def _fill(
    file: h5py.File, universe: Universe, definition: UniverseDefinition, number: int, device: str
) -> None:
    chunk = (1, *(min(definition.side, _MAX_CHUNK_SIDE),) * 3)
    file.create_dataset(
        "full",
        data=universe.counts,
        chunks=chunk,
        compression="gzip",
        compression_opts=1,
        shuffle=True,
        fletcher32=True,
    )
    file.attrs["universes_id"] = definition.universes_id
    file.attrs["universe_id"] = number
    file.attrs["seed"] = np.uint64(universe.seed)
    file.attrs["redshifts"] = np.array(REDSHIFTS)
    file.attrs["unitPar"] = np.array(universe.targets)
    file.attrs["physPar"] = np.array(universe.parameters.physical)
    file.attrs["box_mpc_per_h"] = universe.box_mpc_per_h
    file.attrs["units"] = "full: particles per voxel"
    file.attrs["provenance"] = provenance(definition.canonical, device)
