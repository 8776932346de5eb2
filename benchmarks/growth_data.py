"""Universes to learn from, made once by two processes and kept below the user's cache."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from cosmology.dataset import open_dataset
from cosmology.definition import DatasetDefinition, Split
from cosmology.generation import complete, is_complete, seal
from workloads.cosmoflow.examples import Examples, read_examples

NUM_PROCESSES = 2


def cache_folder() -> Path:
    """Where universes of these benchmarks are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "saih" / "growth"


def whole_boxes(side: int, num_universes: int, split: Split = Split.TRAIN) -> DatasetDefinition:
    """One periodic box of ``side``^3 particles for each universe, 10 steps with a mesh as fine as these."""
    return DatasetDefinition(
        seed=0,
        num_samples=num_universes,
        num_universes=num_universes,
        resolution=side,
        simulation_side=side,
        num_steps=10,
        force_mesh_factor=1,
        split=split,
    )


def examples_of(definition: DatasetDefinition) -> Examples:
    """The samples of a data set, made where they are missing."""
    folder = cache_folder()
    if not is_complete(definition, folder):
        print(f"making {definition.num_universes} universes of {definition.simulation_side}^3", flush=True)
        with ProcessPoolExecutor(NUM_PROCESSES, mp_context=get_context("spawn")) as processes:
            list(processes.map(_make, [definition] * NUM_PROCESSES, range(NUM_PROCESSES)))
        seal(definition, folder)
    with open_dataset(definition, folder) as dataset:
        return read_examples(dataset)


def _make(definition: DatasetDefinition, rank: int) -> None:
    torch.set_num_threads(1)
    complete(definition, cache_folder(), rank, NUM_PROCESSES, lambda text: None)
