"""Counts of a simulated universe in cubes of any side, kept below the user's cache."""

import itertools
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosmology.crops import turned
from cosmology.dataset_error import DatasetError
from cosmology.definition import NUM_SYMMETRIES, DatasetDefinition
from cosmology.universe import make_universe
from cosmology.universe_file import read_universe, universe_path, write_universe

Counts = NDArray[np.uint16]
_SIDE = 64


def cube(side: int) -> Counts:
    """Counts [channel, x, y, z] of 4 redshifts: a part of a universe of 64^3, or that again and again.

    Each time it is turned otherwise, so that packing, which looks at 8 KiB at a time, finds no repetition.
    """
    counts = _universe()
    if side <= _SIDE:
        return np.ascontiguousarray(counts[:, :side, :side, :side])
    whole = np.empty((len(counts), side, side, side), np.uint16)
    places = itertools.product(range(0, side, _SIDE), repeat=3)
    for number, (x, y, z) in enumerate(places):
        own = turned(counts, number % NUM_SYMMETRIES)
        whole[:, x : x + _SIDE, y : y + _SIDE, z : z + _SIDE] = own
    return whole


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
