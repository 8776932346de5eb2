"""Ranks that ask what they have to make data with, and make a data set together: prints JSON from each."""

import json
import sys
from pathlib import Path

import torch
from mpi4py import MPI

from cosmology.definition import DatasetDefinition
from cosmology.generation import Resources, complete
from cosmology.slabs.memory import rank_memory_bytes
from saih.harness.generation_means import open_means
from saih.harness.ranks import Ranks

DEFINITION = DatasetDefinition(
    seed=1, num_samples=1, num_universes=1, resolution=16, redshifts=(0.0,), simulation_side=16, num_steps=4
)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    comm = MPI.COMM_WORLD
    ranks = Ranks(comm=comm, hosts=("here",), first_ranks=(0,), device="cpu")
    told: list[str] = []
    with open_means(ranks, timeout_s=60.0) as means:
        resources = Resources(memory_bytes=rank_memory_bytes(DEFINITION.universes, 2), join=means.join)
        complete(DEFINITION, folder, comm.rank, comm.size, told.append, resources=resources)
    sys.stdout.write(f"{json.dumps({'memory_bytes': means.memory_bytes, 'told': told})}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
