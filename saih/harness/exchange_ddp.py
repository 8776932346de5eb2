"""Gradient exchange by torch's DistributedDataParallel: buckets of gradients, all-reduced as they fill."""

from collections.abc import Callable
from typing import Protocol

import torch
import torch.distributed as dist
from torch import nn
from torch.autograd import Variable
from torch.distributed import GradBucket  # type: ignore[attr-defined]  # exported only where it was built
from torch.nn.parallel import DistributedDataParallel

from saih.harness.clock import host_ns
from saih.harness.device_events import elapsed_ns, record_event
from saih.harness.exchange import NO_COMMUNICATION, Communication, communication


class DdpExchange:
    """DistributedDataParallel on the process group, with its all-reduces timed on the host (gloo).

    Buckets are averaged where they lie, and the main thread waits for them before the backward pass
    returns. Handing each average on by a future, as comm hooks usually do, woke Python twice for every
    bucket: 0.1 ms more on each.
    """

    def __init__(self, group: dist.ProcessGroup) -> None:
        self._group = group
        self._running: list[dist.Work] = []
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
        if not self._running:
            # Called before DDP looks at the buckets, and before the backward pass returns.
            Variable._execution_engine.queue_callback(self._finish)  # noqa: SLF001
        gradients = bucket.buffer()
        self._ready_ns.append(host_ns())
        # Divided before the sum, as DDP's own hook does: half-precision sums then cannot overflow.
        work = self._group.allreduce([gradients.div_(self._group.size())])
        work.get_future().add_done_callback(_note(self._done_ns))
        self._running.append(work)
        begun: torch.futures.Future[torch.Tensor] = torch.futures.Future()
        begun.set_result(gradients)
        return begun

    def _finish(self) -> None:
        running, self._running = self._running, []
        for work in running:
            work.wait()


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
        return _noting(self._done, _average(bucket, self._group))


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


def _note(moments_ns: list[int]) -> Callable[[object], None]:
    """What adds the moment of its call to ``moments_ns``."""

    # The backend's thread calls this before it wakes the main thread, and drops it after. It must not hold
    # the process group: dropped last, a group ends on its own thread, which then joins itself and aborts.
    def note(done: object) -> None:
        moments_ns.append(host_ns())

    return note


def _noting(
    moments: list[torch.cuda.Event], future: torch.futures.Future[list[torch.Tensor]]
) -> torch.futures.Future[torch.Tensor]:
    """The average once it is there, with the moment of its coming added to ``moments``."""

    # It must not hold the process group, as above.
    def finish(done: torch.futures.Future[list[torch.Tensor]]) -> torch.Tensor:
        averaged = done.value()[0]
        moments.append(record_event())
        return averaged

    return future.then(finish)
