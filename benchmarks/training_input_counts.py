"""Counts of a simulated universe in cubes of any side, kept below the user's cache."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosmology.dataset_error import DatasetError
from cosmology.definition import DatasetDefinition
from cosmology.universe import make_universe
from cosmology.universe_file import read_universe, universe_path, write_universe

Counts = NDArray[np.uint16]
_SIDE = 128


def cube(side: int) -> Counts:
    """Counts [channel, x, y, z] of 4 redshifts: a part of a universe of 128^3, or that again and again.

    Packing looks at 8 KiB at a time, so that repetition makes nothing smaller.
    """
    counts = _universe()
    if side <= _SIDE:
        return np.ascontiguousarray(counts[:, :side, :side, :side])
    times = side // _SIDE
    return np.tile(counts, (1, times, times, times))


def _universe() -> Counts:
    definition = DatasetDefinition(
        seed=0,
        num_samples=1,
        num_universes=1,
        resolution=_SIDE,
        simulation_side=_SIDE,
        num_steps=10,
        force_mesh_factor=1,
    )
    universes = definition.universes
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "saih" / "universes"
    path = universe_path(cache, universes, 0)
    try:
        return read_universe(path, universes, definition.num_channels)
    except DatasetError:
        print(f"simulating a universe of {_SIDE}^3, once", flush=True)
        write_universe(path, universes, 0, enumerate(make_universe(universes, 0).counts), "cpu")
        return read_universe(path, universes, definition.num_channels)
