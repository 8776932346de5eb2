"""Gradient exchange between ranks, and what it costs a step.

Two durations describe it, the same for every implementation:

* total: the length of the union, over all pieces of the gradient (buckets), of the intervals from
  "ready on this rank" to "averaged on this rank". Waiting for slower ranks is in it.
* exposed: from the moment the last piece is ready to the end of the backward pass. All gradient
  arithmetic of this rank is done by then, so this is what the exchange adds to the step. Never more
  than the backward pass itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]  # exported only where it was built
from torch.nn.parallel import DistributedDataParallel

from saih.harness.clock import host_ns

Moment = TypeVar("Moment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Communication:
    """What the gradient exchange of one step took on this rank."""

    total_ns: int
    exposed_ns: int


NO_COMMUNICATION = Communication(total_ns=0, exposed_ns=0)


class MeasuredExchange(Protocol):
    """A gradient exchange that reports what it cost; a workload sees only ``attach``."""

    def attach(self, model: nn.Module) -> nn.Module:
        """The model to call in its place; gradients are means over ranks after its backward pass."""

    def end_backward(self) -> None:
        """Called when the host leaves the backward pass, before the device is waited for."""

    def take(self, end_ns: int) -> Communication:
        """The cost since the last call, for a backward pass that ended at ``end_ns`` on the device."""


class NoExchange:
    """Ranks keep their gradients: the exchange of one rank, or the resource taken away from several."""

    def attach(self, model: nn.Module) -> nn.Module:
        """The model itself."""
        return model

    def end_backward(self) -> None:
        """Nothing to note."""

    def take(self, end_ns: int) -> Communication:
        """Nothing was exchanged."""
        return NO_COMMUNICATION


class DdpExchange:
    """DistributedDataParallel on the process group, with its all-reduces timed on the host (gloo)."""

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group
        self._ready_ns: list[int] = []
        self._done_ns: list[int] = []

    def attach(self, model: nn.Module) -> nn.Module:
        """The model wrapped so that its backward pass averages gradients over ranks."""
        return _wrap(model, self._group, self._start)

    def end_backward(self) -> None:
        """Nothing to note: the host is the device."""

    def take(self, end_ns: int) -> Communication:
        """The cost since the last call."""
        ready_ns, self._ready_ns = self._ready_ns, []
        done_ns, self._done_ns = self._done_ns, []
        if not ready_ns:
            return NO_COMMUNICATION
        # A bucket's end is not paired with its begin: all-reduces of one group end in the order begun.
        intervals = list(zip(sorted(ready_ns), sorted(done_ns), strict=True))
        return Communication(total_ns=union_length(intervals), exposed_ns=max(0, end_ns - max(ready_ns)))

    def _start(self, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        self._ready_ns.append(host_ns())
        return _noting(self._done_ns, host_ns, _average(bucket, self._group))


class CudaDdpExchange:
    """DistributedDataParallel on the process group, with its all-reduces timed by device events (nccl)."""

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group
        self._ready: list[torch.cuda.Event] = []
        self._done: list[torch.cuda.Event] = []
        self._end: torch.cuda.Event | None = None

    def attach(self, model: nn.Module) -> nn.Module:
        """The model wrapped so that its backward pass averages gradients over ranks."""
        return _wrap(model, self._group, self._start)

    def end_backward(self) -> None:
        """Note on the compute stream where the backward pass ends; it waits for the averages."""
        self._end = _record_event()

    def take(self, end_ns: int) -> Communication:
        """The cost since the last call; the device has been waited for."""
        ready, self._ready = self._ready, []
        done, self._done = self._done, []
        if not ready or self._end is None:
            return NO_COMMUNICATION
        origin = ready[0]
        intervals = [
            (_elapsed_ns(origin, begin), _elapsed_ns(origin, end))
            for begin, end in zip(ready, done, strict=True)
        ]
        exposed_ns = max(0, _elapsed_ns(ready[-1], self._end))
        return Communication(total_ns=union_length(intervals), exposed_ns=exposed_ns)

    def _start(self, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        self._ready.append(_record_event())
        return _noting(self._done, _record_event, _average(bucket, self._group))


def union_length(intervals: Sequence[tuple[int, int]]) -> int:
    """Length of the union of (begin, end) intervals, in their unit."""
    length, covered = 0, None
    for begin, end in sorted(intervals):
        start = begin if covered is None else max(begin, covered)
        length += max(0, end - start)
        covered = end if covered is None else max(end, covered)
    return length


class _Hook(Protocol):
    def __call__(self, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]: ...


def _wrap(model: nn.Module, group: dist.ProcessGroup, start: _Hook) -> nn.Module:
    # gradient_as_bucket_view saves a copy of all gradients, in time and in memory.
    wrapped = DistributedDataParallel(model, process_group=group, gradient_as_bucket_view=True)

    def hook(state: object, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        return start(bucket)

    wrapped.register_comm_hook(None, hook)
    return wrapped


def _average(bucket: GradBucket, group: dist.ProcessGroup) -> torch.futures.Future[list[torch.Tensor]]:
    # Divided before the sum, as DDP's own hook does: half-precision sums then cannot overflow.
    gradients = bucket.buffer().div_(group.size())
    work = dist.all_reduce(gradients, group=group, async_op=True)
    return work.get_future()


def _noting(
    moments: list[Moment], now: Callable[[], Moment], future: torch.futures.Future[list[torch.Tensor]]
) -> torch.futures.Future[torch.Tensor]:
    """The average once it is there, with the moment of its coming added to ``moments``."""

    # The backend's thread calls this, wakes the main thread, and only then drops it. It must not hold the
    # process group: dropped last, a group ends on its own thread, which then joins itself and aborts.
    def finish(done: torch.futures.Future[list[torch.Tensor]]) -> torch.Tensor:
        averaged = done.value()[0]
        moments.append(now())
        return averaged

    return future.then(finish)


def _record_event() -> torch.cuda.Event:
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    event.record()
    return event


def _elapsed_ns(begin: torch.cuda.Event, end: torch.cuda.Event) -> int:
    return round(begin.elapsed_time(end) * 1e6)
