"""The files of a data set, and which of them some ranks read in their first steps."""

from pathlib import Path

import numpy as np

from augment.problem import Problem
from cosmology.definition import DatasetDefinition
from cosmology.layout import dataset_folder
from cosmology.manifest import manifest_path, read_any_manifest
from workloads.cosmoflow.batches import BatchOrder
from workloads.cosmoflow.problem_data import definition_of
from workloads.stored_files import Reading, StoredFile

_MANY_EPOCHS = 4
"""Ranks that read so many samples as these epochs have are taken to read every universe."""


def stored_files(problem: Problem, data_folder: Path, reading: Reading) -> tuple[StoredFile, ...]:
    """The manifest and every shard of the problem's data set.

    Raises:
        ProblemError: for a problem that cannot be built, or a batch above its data set.
        DatasetError: when the data set is not whole.
    """
    definition = definition_of(problem)
    folder = dataset_folder(Path(), definition)
    manifest = read_any_manifest(dataset_folder(data_folder, definition))
    own_path = manifest_path(folder)
    own = StoredFile(
        path=own_path, num_bytes=(data_folder / own_path).stat().st_size, sha256="", is_read=True
    )
    read = universes_read(definition, reading)
    shards = (
        StoredFile(
            path=folder / file.name, num_bytes=file.num_bytes, sha256=file.sha256, is_read=universe in read
        )
        for universe, file in zip(definition.universe_numbers, manifest.files, strict=True)
    )
    return (own, *shards)


def universes_read(definition: DatasetDefinition, reading: Reading) -> frozenset[int]:
    """Numbers of the universes of which some of the ranks read a sample."""
    order = BatchOrder(
        seed=reading.seed,
        num_samples=definition.num_samples,
        batch_per_rank=reading.batch,
        num_ranks=reading.num_replicas,
    )
    num_steps = reading.num_steps
    replicas = sorted({rank // reading.ranks_per_replica for rank in reading.ranks})
    most = _MANY_EPOCHS * definition.num_samples
    if num_steps is None or num_steps * len(replicas) * reading.batch >= most:
        return frozenset(definition.universe_numbers)
    samples = [order.indices(step, replica) for step in range(num_steps) for replica in replicas]
    return frozenset(definition.place_of(int(sample))[0] for sample in np.unique(np.concatenate(samples)))
