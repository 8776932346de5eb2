"""Samples of 128^3 x 4 counts as the product makes them, from a universe kept below the user's cache."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosmology.crops import samples
from cosmology.dataset_error import DatasetError
from cosmology.definition import DatasetDefinition
from cosmology.universe import make_universe
from cosmology.universe_file import read_universe, universe_path, write_universe

Counts = NDArray[np.uint16]


def samples_of_128(*, num_samples: int, num_steps: int, is_fine: bool) -> list[Counts]:
    """The first samples [channel, x, y, z] of a universe of 256^3 particles in 288 Mpc/h."""
    definition = DatasetDefinition(
        seed=0,
        num_samples=num_samples,
        num_universes=1,
        resolution=128,
        simulation_side=256,
        num_steps=num_steps,
        force_mesh_factor=2 if is_fine else 1,
    )
    universes = definition.universes
    path = universe_path(_cache(), universes, 0)
    try:
        counts = read_universe(path, universes, definition.num_channels)
    except DatasetError:
        print(f"simulating a universe of 256^3 in {num_steps} steps, once", flush=True)
        write_universe(path, universes, 0, enumerate(make_universe(universes, 0).counts), "cpu")
        counts = read_universe(path, universes, definition.num_channels)
    return [np.ascontiguousarray(sample) for sample in samples(definition, 0, counts)]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "saih" / "universes"
