"""A search by several ranks of this machine, which meet through a file."""

import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import distributed

from augment.problem import Problem
from benchmarks.growth_data import examples_of
from cosmology.definition import DatasetDefinition
from workloads.cosmoflow.pareto import Front, front_of
from workloads.cosmoflow.search import climb, parted
from workloads.protocol import Told
from workloads.studying import Study

NUM_RANKS = 2


def searched(rungs: Sequence[Problem], definition: DatasetDefinition, folder: Path, budget_s: float) -> Front:
    """The front that two ranks find together."""
    with (
        tempfile.TemporaryDirectory() as meeting,
        ProcessPoolExecutor(NUM_RANKS, mp_context=get_context("spawn")) as processes,
    ):
        task = partial(_search, tuple(rungs), definition, folder, budget_s, Path(meeting))
        first, *_ = processes.map(task, range(NUM_RANKS))
        return front_of(first)


def _search(
    rungs: tuple[Problem, ...],
    definition: DatasetDefinition,
    folder: Path,
    budget_s: float,
    meeting: Path,
    rank: int,
) -> Told:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}/store", rank=rank, world_size=NUM_RANKS
    )
    study = Study(
        rank=rank,
        num_ranks=NUM_RANKS,
        device="cpu",
        seed=1,
        data_folder=folder,
        folder=folder,
        budget_s=budget_s,
        gather=_gathered,
        progress=partial(print, flush=True) if rank == 0 else _silent,
    )
    return climb(rungs, parted(examples_of(definition)), study).told


def _gathered(told: Told) -> Sequence[Told]:
    found: list[Told | None] = [None] * NUM_RANKS
    distributed.all_gather_object(found, told)
    return [one for one in found if one is not None]


def _silent(text: str) -> None:
    """Other ranks say nothing."""
