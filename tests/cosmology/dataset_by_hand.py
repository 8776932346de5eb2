"""A small data set, made as a job makes it, and what is done to its files."""

import hashlib
from pathlib import Path

import numpy as np

from cosmology.dataset import open_dataset
from cosmology.definition import DatasetDefinition
from cosmology.generation import complete, seal
from cosmology.redshifts import REDSHIFT_ORDER

DEFINITION = DatasetDefinition(
    seed=11,
    num_samples=10,
    num_universes=3,
    resolution=8,
    redshifts=REDSHIFT_ORDER[:2],
    simulation_side=16,
    num_steps=4,
    force_mesh_factor=1,
)
FOLDER = f"dataset-{DEFINITION.dataset_id}"
SHARD = f"{FOLDER}/shard-000001.h5"
RECORD = f"{FOLDER}/shard-000001.json"
MANIFEST = f"{FOLDER}/manifest.jsonl"
UNIVERSE = f"universes-{DEFINITION.universes.universes_id}/universe-000001.h5"


def silent(_: str) -> None:
    """Progress for nobody."""


def generate(folder: Path, definition: DatasetDefinition = DEFINITION, num_ranks: int = 1) -> Path:
    for rank in range(num_ranks):
        complete(definition, folder, rank, num_ranks, silent)
    seal(definition, folder)
    return folder


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def flip_bit(path: Path, offset: int, bit: int = 4) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def read_everything(folder: Path, definition: DatasetDefinition = DEFINITION) -> np.ndarray:
    with open_dataset(definition, folder) as dataset:
        counts, _ = dataset.read(range(len(dataset)))
    return counts
