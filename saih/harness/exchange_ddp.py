"""Gradient exchange by torch's DistributedDataParallel: buckets of gradients, all-reduced as they fill."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import GradBucket  # type: ignore[attr-defined]  # exported only where it was built
from torch.nn.parallel import DistributedDataParallel

from saih.harness.clock import host_ns
from saih.harness.device_events import elapsed_ns, record_event
from saih.harness.exchange import NO_COMMUNICATION, Communication, communication

Moment = TypeVar("Moment")


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
        # A bucket's end is not paired with its begin: all-reduces of one group end in the order begun.
        return communication(list(zip(sorted(ready_ns), sorted(done_ns), strict=True)), end_ns)

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
        self._end = record_event()

    def take(self, end_ns: int) -> Communication:
        """The cost since the last call; the device has been waited for."""
        ready, self._ready = self._ready, []
        done, self._done = self._done, []
        if not ready or self._end is None:
            return NO_COMMUNICATION
        origin = ready[0]
        pieces = [
            (elapsed_ns(origin, begin), elapsed_ns(origin, end))
            for begin, end in zip(ready, done, strict=True)
        ]
        return communication(pieces, elapsed_ns(origin, self._end))

    def _start(self, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        self._ready.append(record_event())
        return _noting(self._done, record_event, _average(bucket, self._group))


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
