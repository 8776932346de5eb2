"""An engine: inference over many processes, called as if it were one function.

with launch(Path("checkpoints/gpt2"), tensor_parallel=2, pipeline_parallel=2) as engine:
    future = engine.submit([[464, 3290], [40, 716, 257]], want="next_tokens")
    print(future.result())
"""

import asyncio
import math
import os
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Self

from torch import Tensor

from workloads.energon.assignment import Assignment
from workloads.energon.controller import Controller
from workloads.energon.errors import EngineClosed, LaunchError, QueueFull
from workloads.energon.launching import WORKER
from workloads.energon.ledger import EngineStats, Ledger
from workloads.energon.local_host import disk_folder, num_cores, num_gpus
from workloads.energon.plan import EnginePlan, plan_engine
from workloads.energon.ranks import Carrier
from workloads.energon.request import Kept, Prompts, Request, RequestRules
from workloads.energon.starting import Patience, start_ranks
from workloads.transformer.architecture import TransformerArchitecture
from workloads.transformer.checkpoint import open_checkpoint
from workloads.transformer.want import Want

_CLOSING_S = 5.0
_MOST_THREADS = 1024
"""Far more than help; a million take a machine all processes that it can have."""
_NOTHING_KEPT = Kept()


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
    request_limit_s: float | None = 3600.0,
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
        request_limit_s: how long the ranks may work on requests without finishing any: then the engine is
            dead, and names who holds up the others. None: for ever. Give ten times the longest pass.

    Raises:
        ProblemError: for a plan that cannot be.
        WeightError: for a checkpoint that cannot be used.
        LaunchError: for workers that did not come up, with the last words of the one that failed.
    """
    _check_counts(
        max_queued=(max_queued, 1),
        num_buffers=(num_buffers, 1),
        cache_bytes=(cache_bytes, 0),
        threads_per_rank=(1 if threads_per_rank is None else threads_per_rank, 1),
    )
    if threads_per_rank is not None and threads_per_rank > _MOST_THREADS:
        raise LaunchError(f"threads_per_rank is {threads_per_rank}; give {_MOST_THREADS} or less.")
    _check_patience(start_timeout_s=start_timeout_s, request_limit_s=request_limit_s)
    if wrong := [cost for cost in layer_costs if not 0 < cost < math.inf]:
        raise LaunchError(f"a layer costs {wrong[0]}; give measured times above 0.")
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
    gpus = num_gpus(device, dtype)
    assignment = Assignment(
        rank=0,
        architecture=architecture,
        plan=plan,
        checkpoint=checkpoint,
        seed=seed,
        device=device,
        dtype=dtype,
        carrier=Carrier.NCCL if gpus >= plan.num_ranks else Carrier.HOST,
        num_threads=threads_per_rank or max(1, num_cores() // plan.num_ranks),
        cache_bytes=cache_bytes,
        folder=str(parking_folder or disk_folder()),
    )
    patience = Patience(
        start_s=start_timeout_s, request_s=math.inf if request_limit_s is None else request_limit_s
    )
    return start(assignment, max_queued=max_queued, patience=patience)


def start(
    assignment: Assignment, *, max_queued: int, patience: Patience, program: Sequence[str] = WORKER
) -> "Engine":
    """The engine whose ranks get this assignment, each with its own number, and run ``program``.

    Raises:
        LaunchError: for workers that did not come up.
    """
    ledger = Ledger(max_queued=max_queued, num_reports=assignment.plan.tensor_parallel)
    controller, pids = start_ranks(assignment, ledger, patience, program)
    return Engine(assignment, controller, ledger, pids)


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
        self.keeper = threading.Lock()
        """Held by a generator: it counts on all memory for keys and values, and on its names."""
        self._owner = os.getpid()
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
        request = self._checked(tokens, want, kept)
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
        request = self._checked(tokens, want, kept)
        place = self._ledger.room.ask()
        try:
            await self._comes(place, timeout_s)
        except TimeoutError:
            self._ledger.room.withdraw(place)
            raise self._full() from None
        except BaseException:  # cancelled, or forgotten with its event loop
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

    def _checked(self, tokens: Prompts, want: Want | str, kept: Kept) -> Request:
        if os.getpid() != self._owner:
            raise EngineClosed(
                f"the engine is one of process {self._owner}, not of its fork; launch one here."
            )
        return self._rules.request(tokens, want, kept)

    async def _comes(self, place: Future[None], timeout_s: float | None) -> None:
        """Wait for a place in this event loop; once that is closed, the place is for others."""
        loop, bell = asyncio.get_running_loop(), asyncio.Event()

        def ring(_: Future[None]) -> None:
            try:
                loop.call_soon_threadsafe(bell.set)
            except RuntimeError:  # nobody can come any more
                self._ledger.room.withdraw(place)

        if not place.done():
            place.add_done_callback(ring)
            async with asyncio.timeout(timeout_s):
                await bell.wait()
        place.result()

    def _wait_for_room(self, timeout_s: float | None) -> None:
        place = self._ledger.room.ask()
        try:
            place.result(timeout_s)
        except TimeoutError:
            self._ledger.room.withdraw(place)
            raise self._full() from None
        except BaseException:  # whatever a handler of signals raises
            self._ledger.room.withdraw(place)
            raise

    def _full(self) -> QueueFull:
        return QueueFull(
            f"{self.stats.queued} requests wait already; ask later, or launch with a larger max_queued."
        )


def _check_counts(**counts: tuple[int, int]) -> None:
    """Each number and the least that it may be."""
    for name, (count, least) in counts.items():
        if count < least:
            raise LaunchError(f"{name} is {count}; give {least} or more.")


def _check_patience(**limits: float | None) -> None:
    for name, limit_s in limits.items():
        if limit_s is not None and not limit_s > 0:
            raise LaunchError(f"{name} is {limit_s}; give seconds above 0.")


def _model(model: TransformerArchitecture | Path | str) -> tuple[TransformerArchitecture, str]:
    if isinstance(model, TransformerArchitecture):
        return model, ""
    folder = Path(model).resolve()
    return open_checkpoint(folder)[0], str(folder)
