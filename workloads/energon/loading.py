"""Makes a rank of an engine: it meets the others, loads its part of the model, and is ready for commands."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from workloads.energon.assignment import Assignment
from workloads.energon.command import Answer, Command
from workloads.energon.meter import Meter
from workloads.energon.parking import build_store
from workloads.energon.ranks import open_ranks
from workloads.energon.runner import StageRunner
from workloads.steady_clock import steady_ns
from workloads.transformer.checkpoint import open_checkpoint
from workloads.transformer.kv_cache import CachePool
from workloads.transformer.layer_store import LayerStore, WeightSource
from workloads.transformer.loading import load_ends, load_layer
from workloads.transformer.place import Place
from workloads.transformer.random_weights import RandomWeights
from workloads.transformer.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRank:
    """A rank that can work, and what it holds besides."""

    runner: StageRunner
    store: LayerStore

    def do(self, command: Command) -> Answer | None:
        """This rank's part of one command; ranks of the last stage give the answer.

        Raises:
            LinkError: when another rank is gone.
        """
        return self.runner.do(command)

    def close(self) -> None:
        """Part from the other ranks, which do the same, and release memory and threads."""
        self.runner.close()
        self.store.close()


def load_rank(assignment: Assignment, meter: Meter | None = None) -> LoadedRank:
    """Load a rank's part of the model. All ranks call this, with a default process group of just them.

    Raises:
        WeightError: for weights that cannot be used.
    """
    plan, rank, architecture = assignment.plan, assignment.rank, assignment.architecture
    device = torch.device(assignment.device)
    place = Place(device=device, dtype=getattr(torch, assignment.dtype))
    with ExitStack() as opening:
        ranks = open_ranks(
            plan,
            rank,
            device=device,
            carrier=assignment.carrier,
            meter=meter,
            secret=assignment.secret,
        )
        opening.callback(ranks.close)
        weights, share, layers = _weights(assignment), plan.share_of(rank), plan.stages[plan.stage_of(rank)]
        store = build_store(
            lambda index: load_layer(architecture, index, share, weights, place),
            layers,
            plan,
            folder=Path(assignment.folder),
            clock=steady_ns,
        )
        opening.callback(store.close)
        stage = Stage(
            architecture=architecture,
            layers=layers,
            share=share,
            store=store,
            ends=load_ends(architecture, layers, share, weights, place),
            exchange=ranks.group,
            place=place,
        )
        caches = CachePool(assignment.cache_bytes, architecture, layers, share, place)
        opening.pop_all()  # what was opened is closed with the rank
    return LoadedRank(runner=StageRunner(stage, ranks, caches), store=store)


def _weights(assignment: Assignment) -> WeightSource:
    if assignment.checkpoint:
        return open_checkpoint(Path(assignment.checkpoint))[1]
    return RandomWeights(assignment.architecture, assignment.seed)
