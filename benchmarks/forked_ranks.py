"""Ranks over gloo, forked from a server that has imported torch already: they start in no time."""

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from cosmology.slabs.crew import Crew

LIMIT_S = 600.0
Work = Callable[..., Any]
"""Called on each rank with its crew and the arguments; a function of a module, where ranks look for it."""


def on_ranks(num_ranks: int, folder: Path, work: Work, *arguments: Any) -> list[Any]:
    """What ``work(crew, *arguments)`` gives on each rank, by rank; what it raises, as text.

    ``folder`` is where the ranks meet; nobody met there before.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "benchmarks.forked_ranks", work.__module__])
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [context.Pipe(duplex=False) for _ in range(num_ranks)]
    children = [
        context.Process(
            target=_child, args=(rank, num_ranks, folder / "meeting", end, work, arguments), daemon=True
        )
        for rank, (_, end) in enumerate(pairs)
    ]
    for child in children:
        child.start()
    try:
        return [_received(here, children, rank) for rank, (here, _) in enumerate(pairs)]
    finally:
        for child in children:
            child.kill()
            child.join()


def started(work: Work, *arguments: Any) -> BaseProcess:
    """A process of its own that does ``work(*arguments)``, to be killed or waited for."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "benchmarks.forked_ranks", work.__module__])
    child = context.Process(target=_alone, args=(work, arguments), daemon=True)
    child.start()
    return child


def _received(here: Connection, children: Sequence[BaseProcess], rank: int) -> Any:
    if not here.poll(LIMIT_S):
        codes = [child.exitcode for child in children]
        raise TimeoutError(f"rank {rank} said nothing for {LIMIT_S:g} s; the ranks ended with {codes}")
    return here.recv()


def _alone(work: Work, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    work(*arguments)


def _child(
    rank: int, num_ranks: int, meeting: Path, end: Connection, work: Work, arguments: tuple[Any, ...]
) -> None:
    torch.set_num_threads(1)
    crew = joined(rank, num_ranks, meeting)
    try:
        found = work(crew, *arguments)
    except Exception as error:  # the parent is told, whatever it is
        found = f"{type(error).__name__}: {error}"
    end.send(found)
    signal.pause()  # the parent kills all when it has heard from all: until then they read from each other


def joined(rank: int, num_ranks: int, meeting: Path) -> Crew:
    """This rank among those that meet at a file."""
    dist.init_process_group(
        "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=num_ranks,
        timeout=timedelta(seconds=LIMIT_S),
    )
    group = dist.group.WORLD
    if group is None:
        raise RuntimeError("torch.distributed made no default process group")
    dist.barrier()  # a rank that ended before others had reached it would keep them waiting
    return Crew(group=group, device=torch.device("cpu"))
