"""How batches reach the steps: made ahead by loader threads, and moved to a GPU one batch ahead."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from saih.harness.device_feed import DeviceFeed
from saih.harness.loaders import Loaders
from saih.harness.prefetch import DEPTH, Making, Prefetch
from saih.harness.usage import Reading
from workloads.telling import FedSession

NUM_SYNTHETIC = 2
"""Batches that are made once where the input is synthetic, and come in turns."""
MOST_LOADERS = 8

Produce = Callable[[int], Any]  # Any: a batch of the workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeding:
    """How the batches of a point come."""

    device: str = "cpu"
    """The GPU to which they are moved ahead of their steps; ``cpu`` where that is left to the session."""
    num_loaders: int = 1
    is_made_once: bool = False
    """Whether few batches come again and again."""

    @property
    def num_ahead(self) -> int:
        """Batches that may lie ready: each of several loaders has one, and a GPU has the next one already."""
        return max(DEPTH, self.num_loaders) + (self.device != "cpu")


ON_HOST = Feeding()
"""One thread, and nothing is moved."""


class Feed(Protocol):
    """Gives batches in order."""

    @property
    def reading(self) -> Reading | None:
        """What was read; None before its end, or where the kernel does not tell."""

    @property
    def thread_ids(self) -> frozenset[int]:
        """The kernel's numbers of the loader threads."""

    def take(self) -> tuple[Any, Making]:
        """The next batch, and what making it took; waits for it."""


def feeding_of(session: object, device: str, *, ranks_per_node: int, is_made_once: bool) -> Feeding:
    """How the batches of a session shall come.

    On a CPU one thread makes them: more would take the processors that the steps need. On a GPU a rank's
    part of the cores is idle, so as many threads make batches as it has and the session allows.
    """
    if device == "cpu" or not isinstance(session, FedSession):
        return Feeding(is_made_once=is_made_once)
    cores = len(os.sched_getaffinity(0)) // ranks_per_node
    most = 1 if is_made_once else min(session.num_producers, MOST_LOADERS)
    return Feeding(device=device, num_loaders=max(1, min(most, cores - 1)), is_made_once=is_made_once)


@contextmanager
def open_feed(produce: Produce, feeding: Feeding) -> Iterator[Feed]:
    """The batches of ``produce(0)``, ``produce(1)``, ... as they are needed; threads end with the block."""
    produce = made_once(produce) if feeding.is_made_once else produce
    loaders: AbstractContextManager[Prefetch[Any] | Loaders[Any]] = (
        Prefetch(produce) if feeding.num_loaders == 1 else Loaders(produce, feeding.num_loaders)
    )
    with loaders as source:
        yield source if feeding.device == "cpu" else DeviceFeed(source, feeding.device)


def made_once(produce: Produce) -> Produce:
    """Gives the first batches again and again."""
    kept: list[Any] = []

    def again(step: int) -> Any:
        while len(kept) < NUM_SYNTHETIC:
            kept.append(produce(len(kept)))
        return kept[step % NUM_SYNTHETIC]

    return again
