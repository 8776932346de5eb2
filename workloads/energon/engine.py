"""An engine: inference over many processes, called as if it were one function.

with launch(Path("checkpoints/gpt2"), tensor_parallel=2, pipeline_parallel=2) as engine:
    future = engine.submit([[464, 3290], [40, 716, 257]], want="next_tokens")
    print(future.result())
"""

import asyncio
import os
import tempfile
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from workloads.energon.assignment import Assignment
from workloads.energon.controller import Controller
from workloads.energon.errors import LaunchError, QueueFull
from workloads.energon.launching import WORKER, MeetingPoint, start_workers
from workloads.energon.ledger import EngineStats, Ledger
from workloads.energon.plan import EnginePlan, plan_engine
from workloads.energon.ranks import Carrier
from workloads.energon.request import Kept, Prompts, RequestRules
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.checkpoint import open_checkpoint
from workloads.transformer.want import Want

_CLOSING_S = 5.0
_NOTHING_KEPT = Kept()
_DTYPES = ("float64", "float32", "bfloat16", "float16")


def launch(  # noqa: PLR0913  # keywords that callers read by their names
    model: TransformerArchitecture | Path | str,
    *,
    seed: int = 0,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    device: str = "cpu",
    dtype: str = "float32",
    layer_costs: Sequence[float] = (),
    is_packed: bool = True,
    is_blocking: bool = False,
    num_buffers: int = 4,
    num_parked: int = 0,
    prefetch_distance: int = 1,
    parking_folder: Path | None = None,
    cache_bytes: int = 1 << 30,
    max_queued: int = 256,
    threads_per_rank: int | None = None,
    start_timeout_s: float = 600.0,
) -> "Engine":
    """Start an engine of ``tensor_parallel * pipeline_parallel`` processes on this machine.

    Args:
        model: the folder of a checkpoint, or sizes whose weights are drawn by ``seed``.
        seed: of random weights.
        tensor_parallel: ranks that share every layer.
        pipeline_parallel: stages, one after the other.
        device: ``cpu`` or ``cuda``; ranks take GPUs in turn, and share them where there are fewer.
        dtype: of weights and activations: float64, float32, bfloat16 or float16.
        layer_costs: measured times of the layers in any unit, by which stages are balanced.
        is_packed: no work on padding anywhere.
        is_blocking: for comparisons: a stage waits until the next has taken over what it sends.
        num_buffers: messages that may wait between two stages.
        num_parked: layers of each stage that are not kept on its device.
        prefetch_distance: how many parked layers ahead of its use a layer is fetched.
        parking_folder: where CPU ranks park layers, in files without a name; a folder on a disk.
        cache_bytes: most memory of each rank for the keys and values of kept sequences.
        max_queued: requests that may wait for their turn.
        threads_per_rank: threads of computation; an even part of the cores where not given.
        start_timeout_s: how long starting and loading may take.

    Raises:
        ProblemError: for a plan that cannot be.
        WeightError: for a checkpoint that cannot be used.
        LaunchError: for workers that did not come up, with the last words of the one that failed.
    """
    if max_queued < 1:
        raise LaunchError(f"max_queued is {max_queued}; let at least 1 request wait.")
    architecture, checkpoint = _model(model)
    plan = plan_engine(
        architecture,
        tensor_parallel=tensor_parallel,
        pipeline_parallel=pipeline_parallel,
        layer_costs=tuple(layer_costs),
        is_packed=is_packed,
        num_parked=num_parked,
    )
    plan = replace(
        plan, is_blocking=is_blocking, num_buffers=num_buffers, prefetch_distance=prefetch_distance
    )
    num_gpus = _num_gpus(device, dtype)
    assignment = Assignment(
        rank=0,
        architecture=architecture,
        plan=plan,
        checkpoint=checkpoint,
        seed=seed,
        device=device,
        dtype=dtype,
        carrier=Carrier.NCCL if num_gpus >= plan.num_ranks else Carrier.HOST,
        num_threads=threads_per_rank or max(1, _num_cores() // plan.num_ranks),
        cache_bytes=cache_bytes,
        store_port=0,
        folder=str(parking_folder or _disk_folder()),
    )
    return start(assignment, max_queued=max_queued, start_timeout_s=start_timeout_s)


def start(
    assignment: Assignment, *, max_queued: int, start_timeout_s: float, program: Sequence[str] = WORKER
) -> "Engine":
    """The engine whose ranks get this assignment, each with its own number, and run ``program``.

    Raises:
        LaunchError: for workers that did not come up.
    """
    plan = assignment.plan
    meeting_point = MeetingPoint(plan.num_ranks)
    try:
        workers = start_workers(plan.num_ranks, assignment.num_threads, program)
    except LaunchError:
        meeting_point.close()
        raise
    ledger = Ledger(max_queued=max_queued, num_reports=plan.tensor_parallel)
    assignments = _assignments(replace(assignment, store_port=meeting_point.port))
    controller = Controller(assignments, workers, ledger, meeting_point)
    controller.start(start_timeout_s)
    try:
        controller.ready.result()
    except BaseException:
        controller.close(0.0)
        raise
    return Engine(assignment, controller, ledger, tuple(worker.process.pid for worker in workers))


class Engine:
    """A running engine. Any thread may use it, and any event loop."""

    def __init__(
        self, assignment: Assignment, controller: Controller, ledger: Ledger, pids: tuple[int, ...]
    ) -> None:
        self.assignment = assignment
        """What rank 0 was told to be; the others differ by their rank and device."""
        self.architecture: TransformerArchitecture = assignment.architecture
        """Of the model."""
        self.plan: EnginePlan = assignment.plan
        """Which rank holds what."""
        self.pids = pids
        """The process of each rank."""
        self._rules = RequestRules(architecture=self.architecture, is_packed=self.plan.is_packed)
        self._controller = controller
        self._ledger = ledger
        weakref.finalize(self, controller.let_go)

    @property
    def stats(self) -> EngineStats:
        """How many requests there are in each state."""
        return self._ledger.stats

    @property
    def death(self) -> str:
        """Why nothing will be answered any more; empty while the engine lives."""
        return self._ledger.closed_by

    def submit(
        self,
        tokens: Prompts,
        *,
        want: Want | str = Want.ALL_ROWS,
        kept: Kept = _NOTHING_KEPT,
        timeout_s: float | None = None,
    ) -> Future[Tensor]:
        """Ask for one forward pass over some sequences, all new tokens at once.

        The future gives what ``want`` says, on the host, without padding; ``future.cancel()`` works until its
        turn comes. Where the queue is full this waits for ``timeout_s``, for ever where it is None, and not
        at all where it is called back by a future of this engine.

        Raises:
            RequestError: when it cannot be answered; the engine goes on.
            QueueFull: when no room came free in time.
            EngineDead: when a worker is gone.
            EngineClosed: after ``close``.
        """
        request = self._rules.request(tokens, want, kept)
        self._wait_for_room(0.0 if self._controller.is_current_thread else timeout_s)
        return self._controller.submit(request)

    async def asubmit(
        self,
        tokens: Prompts,
        *,
        want: Want | str = Want.ALL_ROWS,
        kept: Kept = _NOTHING_KEPT,
        timeout_s: float | None = None,
    ) -> Tensor:
        """As ``submit``, but gives the result itself, and waits without holding up the event loop.

        Cancelling the task cancels a request whose turn has not come.
        """
        request = self._rules.request(tokens, want, kept)
        place = self._ledger.room.ask()
        if place.done():
            place.result()
            return await asyncio.wrap_future(self._controller.submit(request))
        try:
            await asyncio.wait_for(asyncio.wrap_future(place), timeout_s)
        except TimeoutError:
            self._ledger.room.withdraw(place)
            raise self._full() from None
        except asyncio.CancelledError:
            self._ledger.room.withdraw(place)
            raise
        return await asyncio.wrap_future(self._controller.submit(request))

    def close(self, timeout_s: float = _CLOSING_S) -> None:
        """Give admitted requests ``timeout_s`` to end, then end all workers; at the end none is left."""
        self._controller.close(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait_for_room(self, timeout_s: float | None) -> None:
        place = self._ledger.room.ask()
        try:
            place.result(timeout_s)
        except TimeoutError:
            self._ledger.room.withdraw(place)
            raise self._full() from None
        except KeyboardInterrupt:
            self._ledger.room.withdraw(place)
            raise

    def _full(self) -> QueueFull:
        return QueueFull(
            f"{self.stats.queued} requests wait already; ask later, or launch with a larger max_queued."
        )


def _model(model: TransformerArchitecture | Path | str) -> tuple[TransformerArchitecture, str]:
    if isinstance(model, TransformerArchitecture):
        return model, ""
    folder = Path(model).resolve()
    return open_checkpoint(folder)[0], str(folder)


def _assignments(assignment: Assignment) -> list[Assignment]:
    """What each rank is told; ranks take GPUs in turn."""
    ranks = range(assignment.plan.num_ranks)
    if assignment.device != "cuda":
        return [replace(assignment, rank=rank) for rank in ranks]
    num_gpus = torch.cuda.device_count()
    return [replace(assignment, rank=rank, device=f"cuda:{rank % num_gpus}") for rank in ranks]


def _num_gpus(device: str, dtype: str) -> int:
    if dtype not in _DTYPES:
        raise LaunchError(f"dtype {dtype!r} is not known; use one of {', '.join(_DTYPES)}.")
    if device not in ("cpu", "cuda"):
        raise LaunchError(f"device {device!r} is not known; use cpu or cuda.")
    num_gpus = torch.cuda.device_count() if device == "cuda" else 0
    if device == "cuda" and num_gpus == 0:
        raise LaunchError("device cuda was asked for, and torch sees no GPU; use cpu.")
    return num_gpus


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _disk_folder() -> Path:
    """Where files may be large: /var/tmp is on a disk where /tmp may be in memory (Linux' file hierarchy)."""
    folder = Path("/var/tmp")  # noqa: S108  # files there are made without a name
    return folder if folder.is_dir() else Path(tempfile.gettempdir())
