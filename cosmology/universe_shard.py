"""The shard of a simulated universe: its samples, each with the universe's labels."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cosmology.crops import samples
from cosmology.definition import DatasetDefinition
from cosmology.hdf5 import provenance
from cosmology.parameters import draw_targets, parameters_of, universe_seed
from cosmology.shard import LabelledSample, write_samples
from cosmology.shard_record import ShardRecord


def write_shard(
    path: Path, definition: DatasetDefinition, universe: int, counts: NDArray[np.uint16], device: str
) -> ShardRecord:
    """Cut the samples of a universe out of its counts [channel, x, y, z]; the record is written last."""
    targets = draw_targets(definition.seed, universe)
    physical = parameters_of(targets).physical
    seed = universe_seed(definition.seed, universe)
    labelled = (
        LabelledSample(counts=sample, targets=targets, physical=physical, seed=seed, universe=universe)
        for sample in samples(definition, universe, counts)
    )
    return write_samples(path, definition, universe, labelled, provenance(definition.canonical, device))
