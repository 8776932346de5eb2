"""Gradient exchange by torch's DistributedDataParallel: buckets of gradients, all-reduced as they fill."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]  # exported only where it was built
from torch.nn.parallel import DistributedDataParallel

from saih.harness.clock import host_ns
from saih.harness.device_events import elapsed_ns, record_event
from saih.harness.exchange import NO_COMMUNICATION, Communication, communication
from saih.harness.thread_state import keep_thread_state
from workloads.execution import PLAIN

DEFAULT_BUCKET_MIB = PLAIN.bucket_mib
"""That of torch."""


class DdpExchange:
    """DistributedDataParallel on the process group, with its all-reduces timed on the host (gloo).

    DDP calls a process group that notes when each all-reduce begins and ends, and hands it on. A comm hook
    would see the same, but DDP then divides a bucket in a pass of its own rather than while it is filled:
    1 to 2 % of a step of 16 ms.
    """

    def __init__(self, group: dist.ProcessGroup, bucket_mib: int = DEFAULT_BUCKET_MIB) -> None:
        self._group = group
        self._bucket_mib = bucket_mib
        self._moments = _Moments()
        self._wrapped: list[DistributedDataParallel] = []

    def attach(self, model: nn.Module) -> nn.Module:
        """The model wrapped so that its backward pass averages gradients over ranks."""
        self._wrapped.append(_wrap(model, _TimedGroup(self._group, self._moments), self._bucket_mib))
        return self._wrapped[-1]

    def end_backward(self) -> None:
        """All-reduces from here on belong to the next pass."""
        self._moments.cut()

    def take(self, ends_ns: Sequence[int]) -> list[Communication]:
        """The cost of each pass since the last call."""
        passes = zip(self._moments.take(len(ends_ns)), ends_ns, strict=True)
        # The moment of an end is noted a little late: DDP may have gone on by then.
        return [
            communication([(ready, max(ready, min(done, end_ns))) for ready, done in its], end_ns)
            for its, end_ns in passes
        ]

    def pause(self, *, is_paused: bool) -> None:
        """As DDP's own ``no_sync`` does, for more than one step."""
        _pause(self._wrapped, is_paused=is_paused)


class CudaDdpExchange:
    """DistributedDataParallel on the process group, with its all-reduces timed by device events (nccl)."""

    def __init__(self, group: dist.ProcessGroup, bucket_mib: int = DEFAULT_BUCKET_MIB) -> None:
        self._group = group
        self._bucket_mib = bucket_mib
        self._ready: list[torch.cuda.Event] = []
        self._done: list[torch.cuda.Event] = []
        self._passes: list[_Pass] = []
        self._wrapped: list[DistributedDataParallel] = []

    def attach(self, model: nn.Module) -> nn.Module:
        """The model wrapped so that its backward pass averages gradients over ranks."""
        wrapped = _wrap(model, self._group, self._bucket_mib)
        self._wrapped.append(wrapped)

        def hook(state: object, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
            return self._start(bucket)

        wrapped.register_comm_hook(None, hook)
        return wrapped

    def end_backward(self) -> None:
        """Note on the compute stream where the backward pass ends; it waits for the averages."""
        ready, self._ready = self._ready, []
        done, self._done = self._done, []
        self._passes.append((ready, done, record_event()))

    def take(self, ends_ns: Sequence[int]) -> list[Communication]:
        """The cost of each pass since the last call."""
        passes, self._passes = self._passes, []
        self._ready, self._done = [], []
        return [_elapsed(*its) for its, _ in zip(passes, ends_ns, strict=True)] if ends_ns else []

    def pause(self, *, is_paused: bool) -> None:
        """As DDP's own ``no_sync`` does, for more than one step."""
        _pause(self._wrapped, is_paused=is_paused)

    def _start(self, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        self._ready.append(record_event())
        return _noting(self._done, _average(bucket, self._group))


_Pass = tuple[list[torch.cuda.Event], list[torch.cuda.Event], torch.cuda.Event]
"""When pieces were ready and averaged, and when the backward pass ended."""


class _Moments:
    """When all-reduces began and ended."""

    def __init__(self) -> None:
        self._running: list[dist.Work] = []
        self._ready_ns: list[int] = []
        self._done_ns: list[int] = []
        self._cuts: list[int] = []

    def begin(self) -> None:
        """One begins now."""
        self._ready_ns.append(host_ns())

    def follow(self, work: dist.Work) -> None:
        """Note when the one that began ends."""
        # The backend's thread drops the callback last: it must not hold the process group, which would
        # then end on its own thread, join itself and abort.
        work.get_future().add_done_callback(self._end)
        self._running.append(work)

    def cut(self) -> None:
        """A backward pass ends here."""
        self._cuts.append(len(self._ready_ns))

    def take(self, num_passes: int) -> list[list[tuple[int, int]]]:
        """The (begin, end) moments [ns] of each pass since the last call; all forgotten where it is 0."""
        # DDP goes on when the future is there; the moment is noted before the work counts as done.
        running, self._running = self._running, []
        for work in running:
            work.wait()
        # An end is not paired with its begin: all-reduces of one group end in the order begun.
        pairs = list(zip(sorted(self._ready_ns), sorted(self._done_ns), strict=True))
        cuts = [0, *self._cuts]
        self._ready_ns.clear()
        self._done_ns.clear()
        self._cuts.clear()
        return [pairs[cuts[index] : cuts[index + 1]] for index in range(num_passes)]

    def _end(self, done: object) -> None:
        self._done_ns.append(host_ns())
        keep_thread_state()


class _TimedGroup(dist.ProcessGroup):
    """What DDP calls of a process group, with its all-reduces timed."""

    def __init__(self, group: dist.ProcessGroup, moments: _Moments) -> None:
        super().__init__(group.rank(), group.size())  # type: ignore[call-arg]  # torch leaves it out of its types
        self._group = group
        self._moments = moments

    def getBackendName(self) -> str:  # noqa: N802  # torch's name
        """A name of its own: torch looks for a backend behind those it knows."""
        return "timed"

    # torch overloads it by type; DDP calls one of the overloads.
    def allreduce(self, tensors: list[Tensor], opts: Any) -> Any:  # type: ignore[override]
        """Sum over ranks."""
        self._moments.begin()
        work = self._group.allreduce(tensors, opts)
        self._moments.follow(work)
        return work

    def allgather(self, *arguments: Any) -> Any:
        """Shapes of parameters, when DDP is made."""
        return self._group.allgather(*arguments)

    def broadcast(self, *arguments: Any) -> Any:
        """Weights of rank 0, when DDP is made, and buffers."""
        return self._group.broadcast(*arguments)


def _elapsed(
    ready: list[torch.cuda.Event], done: list[torch.cuda.Event], end: torch.cuda.Event
) -> Communication:
    """The cost of one backward pass, on the device's clock."""
    if not ready:
        return NO_COMMUNICATION
    origin = ready[0]
    pieces = [
        (elapsed_ns(origin, begin), elapsed_ns(origin, finish))
        for begin, finish in zip(ready, done, strict=True)
    ]
    return communication(pieces, elapsed_ns(origin, end))


def _wrap(model: nn.Module, group: dist.ProcessGroup, bucket_mib: int) -> DistributedDataParallel:
    # torch makes the first bucket smaller, so that the exchange begins early, unless it is told a size.
    cap_mib = None if bucket_mib == DEFAULT_BUCKET_MIB else bucket_mib
    # gradient_as_bucket_view saves a copy of all gradients, in time and in memory.
    return DistributedDataParallel(
        model, process_group=group, bucket_cap_mb=cap_mib, gradient_as_bucket_view=True
    )


def _pause(wrapped: list[DistributedDataParallel], *, is_paused: bool) -> None:
    for model in wrapped:
        model.require_backward_grad_sync = not is_paused


def _average(bucket: GradBucket, group: dist.ProcessGroup) -> torch.futures.Future[list[torch.Tensor]]:
    # Divided before the sum, as DDP's own hook does: half-precision sums then cannot overflow.
    gradients = bucket.buffer().div_(group.size())
    work = dist.all_reduce(gradients, group=group, async_op=True)
    return work.get_future()


def _noting(
    moments: list[torch.cuda.Event], future: torch.futures.Future[list[torch.Tensor]]
) -> torch.futures.Future[torch.Tensor]:
    """The average once it is there, with the moment of its coming added to ``moments``."""

    # It must not hold the process group, as in _TimedGroup.
    def finish(done: torch.futures.Future[list[torch.Tensor]]) -> torch.Tensor:
        averaged = done.value()[0]
        moments.append(record_event())
        return averaged

    return future.then(finish)
