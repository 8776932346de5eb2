"""Gradient exchange by Horovod: every parameter's gradient is averaged as soon as it is there.

Horovod's background thread collects ready gradients once in a cycle (1 ms), fuses and all-reduces them.
A piece is ready when its gradient is accumulated, and averaged when that thread has marked it so: both are
moments on the clock of the host, to a few microseconds, however long nobody asked. On GPUs the first is a
device event, set against the end of the backward pass, and the second the moment when the host learned that
NCCL was done.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd import Variable
from torch.utils.hooks import RemovableHandle

from saih.domain.errors import UsageError
from saih.harness.clock import host_ns
from saih.harness.device_events import elapsed_ns, record_event
from saih.harness.exchange import Communication, communication

NOTE_OF_END = "horovod_torch_last_finished_ns"
"""What SAIH's build of Horovod adds to its library."""
AVERAGED_TYPES = (torch.float16, torch.float32, torch.float64)
"""Types of gradients that Horovod sums on every device."""


class Horovod(Protocol):
    """The part of ``horovod.torch`` that is used, and when a tensor was averaged."""

    @property
    def start_average(self) -> "Start":
        """Begins to average a tensor over all ranks, in place; gives a handle."""

    @property
    def start_broadcast(self) -> "Start":
        """Begins to overwrite a tensor with that of rank 0; gives a handle."""

    def wait(self, handles: Iterable[int]) -> list[int]:
        """Wait for all that was begun; gives the moment [ns] at which each was done."""


class Start(Protocol):
    """Begins an operation on a tensor that has the same name on all ranks."""

    def __call__(self, tensor: Tensor, *, name: str) -> int:
        """Gives a handle to wait for."""


class ReadyMoments(Protocol):
    """Moments at which pieces became ready, in order."""

    def note(self) -> None:
        """Now."""

    def end(self) -> None:
        """A backward pass ends now."""

    def take(self, ends_ns: Sequence[int]) -> list[list[int]]:
        """Moments [ns] on the host's clock, of each pass since the last call; they ended at ``ends_ns``."""


class HostMoments:
    """Moments of a host that is its own device."""

    def __init__(self) -> None:
        self._ns: list[int] = []
        self._lengths: list[int] = []

    def note(self) -> None:
        """Now."""
        self._ns.append(host_ns())

    def end(self) -> None:
        """Moments from here on belong to the next pass."""
        self._lengths.append(len(self._ns))

    def take(self, ends_ns: Sequence[int]) -> list[list[int]]:
        """The moments [ns] in each pass since the last call."""
        moments_ns, lengths, self._ns, self._lengths = self._ns, self._lengths, [], []
        begins = (0, *lengths)
        return [moments_ns[begin:end] for begin, end in zip(begins, lengths, strict=False)][: len(ends_ns)]


class DeviceMoments:
    """Moments on a CUDA stream, counted back from the end of the backward pass."""

    def __init__(self) -> None:
        self._events: list[torch.cuda.Event] = []
        self._passes: list[tuple[list[torch.cuda.Event], torch.cuda.Event]] = []

    def note(self) -> None:
        """When the device comes here."""
        self._events.append(record_event())

    def end(self) -> None:
        """When the device comes here, the backward pass has ended."""
        self._passes.append((self._events, record_event()))
        self._events = []

    def take(self, ends_ns: Sequence[int]) -> list[list[int]]:
        """The moments [ns] in each pass since the last call; the device has been waited for."""
        passes, self._passes, self._events = self._passes, [], []
        return [
            [end_ns - elapsed_ns(event, end) for event in events]
            for (events, end), end_ns in zip(passes, ends_ns, strict=False)
        ]


class HorovodExchange:
    """Averages the gradients of one model by hooks; every one is averaged when the backward pass returns.

    A hook runs with cold caches, between two operations of the backward pass, on all its parameters in turn:
    whatever can be known before is, and hooks that shall do nothing are taken off.
    """

    def __init__(self, horovod: Horovod, moments: ReadyMoments) -> None:
        self._horovod = horovod
        self._ready = moments
        self._done_ns: list[int] = []
        self._passes_done_ns: list[list[int]] = []
        self._starters: Mapping[str, tuple[nn.Parameter, Starter]] = {}
        self._hooks: Sequence[RemovableHandle] = ()
        self._handles: dict[str, int] = {}

    def attach(self, model: nn.Module) -> nn.Module:
        """The model itself, with the weights of rank 0 and hooks on its parameters.

        Raises:
            UsageError: for gradients that Horovod does not average.
        """
        trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
        _check_types(trained)
        self._share(dict(model.named_parameters()) | dict(model.named_buffers()))
        self._starters = {
            name: (weight, self._starter(name, weight)) for name, weight in trained if weight.numel()
        }
        self.pause(is_paused=False)
        return model

    def end_backward(self) -> None:
        """Note where the backward pass ends on the device; it waits for the averages."""
        self._ready.end()
        self._passes_done_ns.append(self._done_ns)
        self._done_ns = []

    def take(self, ends_ns: Sequence[int]) -> list[Communication]:
        """The cost of each pass since the last call."""
        passes_ns, self._passes_done_ns, self._done_ns = self._passes_done_ns, [], []
        passes = zip(self._ready.take(ends_ns), passes_ns[: len(ends_ns)], ends_ns, strict=True)
        return [
            communication(list(zip(ready_ns, done_ns, strict=True)), end_ns)
            for ready_ns, done_ns, end_ns in passes
        ]

    def pause(self, *, is_paused: bool) -> None:
        """Take the hooks off, or put them on."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = [
            weight.register_post_accumulate_grad_hook(start)  # type: ignore[no-untyped-call]
            for weight, start in ({} if is_paused else self._starters).values()
        ]

    def _share(self, tensors: Mapping[str, Tensor]) -> None:
        start = self._horovod.start_broadcast
        self._horovod.wait(
            [
                start(_memory_of(tensor.detach()), name=f"weights.{name}")
                for name, tensor in tensors.items()
                if tensor.numel()
            ]
        )

    def _starter(self, name: str, weight: nn.Parameter) -> "Starter":
        """What begins to average the gradient of a parameter, in the middle of a backward pass."""
        in_horovod, order = f"gradient.{name}", _order_of(weight)
        handles, finish, note = self._handles, self._finish, self._ready.note
        start_average = self._horovod.start_average

        def start(parameter: Tensor) -> None:
            if not handles:
                # torch calls it when all gradients of this backward pass are accumulated, before it returns.
                Variable._execution_engine.queue_callback(finish)  # noqa: SLF001
            note()
            gradient = parameter.grad
            if gradient is None:
                raise RuntimeError(f"parameter {name} has no gradient after it was accumulated")
            # A gradient lies in memory as its parameter does: that is torch's "gradient layout contract".
            memory = gradient if order is None else gradient.permute(order)
            handles[name] = start_average(memory, name=in_horovod)

        return start

    def _finish(self) -> None:
        if len(self._handles) < len(self._starters):
            self._start_unused()
        handles = list(self._handles.values())
        self._handles.clear()
        # Horovod ends them in about this order.
        self._done_ns += self._horovod.wait(handles)

    def _start_unused(self) -> None:
        """Parameters that this pass did not reach: other ranks may have, and would wait for this one."""
        for name, (parameter, start) in self._starters.items():
            if name not in self._handles:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                start(parameter)


Starter = Callable[[Tensor], None]


def _check_types(parameters: Sequence[tuple[str, nn.Parameter]]) -> None:
    for name, weight in parameters:
        if weight.dtype not in AVERAGED_TYPES:
            raise UsageError(
                f"Horovod cannot average gradients of type {weight.dtype} (parameter {name})",
                "use exchange: ddp, or weights of float32.",
            )


def _memory_of(tensor: Tensor) -> Tensor:
    """A contiguous view of the same elements, in the order in which they lie: layouts agree between ranks."""
    order = _order_of(tensor)
    return tensor if order is None else tensor.permute(order)


def _order_of(tensor: Tensor) -> tuple[int, ...] | None:
    """Of its dimensions, so that the permuted tensor is contiguous; None where it is."""
    if tensor.is_contiguous():
        return None
    strides = tensor.stride()
    order = tuple(
        sorted(range(tensor.dim()), key=lambda dim: (strides[dim], tensor.shape[dim]), reverse=True)
    )
    if not tensor.permute(order).is_contiguous():
        raise UsageError(
            f"a tensor of shape {tuple(tensor.shape)} and strides {tensor.stride()} has gaps in memory",
            "make the model's parameters and buffers contiguous.",
        )
    return order


def moments_of(device: str) -> ReadyMoments:
    """The moments of ``cpu`` or ``cuda:N``."""
    return HostMoments() if torch.device(device).type == "cpu" else DeviceMoments()


class LoadedHorovod:
    """``horovod.torch``, once it was imported and begun."""

    def __init__(self, horovod: Any, library: Any) -> None:  # Any: Horovod is untyped
        self._synchronize, self._last_finished_ns = horovod.synchronize, getattr(library, NOTE_OF_END)
        self._start_average = partial(horovod.allreduce_async_, op=horovod.Average)
        self._start_broadcast = partial(horovod.broadcast_async_, root_rank=0)

    @property
    def start_average(self) -> Start:
        """Begins to average a tensor over all ranks, in place; gives a handle."""
        return self._start_average

    @property
    def start_broadcast(self) -> Start:
        """Begins to overwrite a tensor with that of rank 0; gives a handle."""
        return self._start_broadcast

    def wait(self, handles: Iterable[int]) -> list[int]:
        """Wait for all that was begun; gives the moment [ns] at which each was done."""
        synchronize, last_finished_ns, done_ns = self._synchronize, self._last_finished_ns, []
        for handle in handles:
            synchronize(handle)
            done_ns.append(last_finished_ns())
        return done_ns
