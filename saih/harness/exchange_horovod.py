"""Gradient exchange by Horovod: every parameter's gradient is averaged as soon as it is there.

Horovod's background thread collects ready gradients once in a cycle (1 ms), fuses and all-reduces them.
A piece is ready when its gradient is accumulated, and averaged when that thread has marked it so: both are
moments on the clock of the host, to a few microseconds, however long nobody asked. On GPUs the first is a
device event, set against the end of the backward pass, and the second the moment when the host learned that
NCCL was done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd import Variable

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

    def start_average(self, tensor: Tensor, name: str) -> int:
        """Begin to average ``tensor`` over all ranks, in place; gives a handle."""

    def start_broadcast(self, tensor: Tensor, name: str) -> int:
        """Begin to overwrite ``tensor`` with that of rank 0; gives a handle."""

    def wait(self, handle: int) -> int:
        """Wait for what was begun; gives the moment [ns] at which it was done."""


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
        self._passes: list[list[int]] = []

    def note(self) -> None:
        """Now."""
        self._ns.append(host_ns())

    def end(self) -> None:
        """Moments from here on belong to the next pass."""
        self._passes.append(self._ns)
        self._ns = []

    def take(self, ends_ns: Sequence[int]) -> list[list[int]]:
        """The moments [ns] in each pass since the last call."""
        passes, self._passes, self._ns = self._passes, [], []
        return passes[: len(ends_ns)]


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
    """Averages the gradients of one model by hooks; every one is averaged when the backward pass returns."""

    def __init__(self, horovod: Horovod, moments: ReadyMoments) -> None:
        self._horovod = horovod
        self._ready = moments
        self._done_ns: list[int] = []
        self._passes_done_ns: list[list[int]] = []
        self._parameters: Sequence[tuple[str, nn.Parameter]] = ()
        self._handles: dict[str, int] = {}
        self._is_paused = False

    def attach(self, model: nn.Module) -> nn.Module:
        """The model itself, with the weights of rank 0 and hooks on its parameters.

        Raises:
            UsageError: for gradients that Horovod does not average.
        """
        trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
        _check_types(trained)
        self._share(dict(model.named_parameters()) | dict(model.named_buffers()))
        self._parameters = [(name, weight) for name, weight in trained if weight.numel()]
        for name, weight in self._parameters:
            weight.register_post_accumulate_grad_hook(self._starter(name))  # type: ignore[no-untyped-call]
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
        """Hooks that find it paused start nothing."""
        self._is_paused = is_paused

    def _share(self, tensors: Mapping[str, Tensor]) -> None:
        handles = [
            self._horovod.start_broadcast(_memory_of(tensor.detach()), f"weights.{name}")
            for name, tensor in tensors.items()
            if tensor.numel()
        ]
        for handle in handles:
            self._horovod.wait(handle)

    def _starter(self, name: str) -> Callable[[Tensor], None]:
        """What begins to average the gradient of a parameter, in the middle of a backward pass."""
        in_horovod, view = f"gradient.{name}", _View((), None)

        def start(parameter: Tensor) -> None:
            nonlocal view
            if self._is_paused:
                return
            if not self._handles:
                # torch calls it when all gradients of this backward pass are accumulated, before it returns.
                Variable._execution_engine.queue_callback(self._finish)  # noqa: SLF001
            gradient = parameter.grad
            if gradient is None:
                raise RuntimeError(f"parameter {name} has no gradient after it was accumulated")
            self._ready.note()
            if gradient.stride() != view.strides:
                view = _view_of(gradient)
            memory = gradient if view.order is None else gradient.permute(view.order)
            self._handles[name] = self._horovod.start_average(memory, in_horovod)

        return start

    def _finish(self) -> None:
        if len(self._handles) < len(self._parameters):
            self._start_unused()
        handles, self._handles = self._handles, {}
        # Horovod ends them in about this order.
        self._done_ns += [self._horovod.wait(handle) for handle in handles.values()]

    def _start_unused(self) -> None:
        """Parameters that this pass did not reach: other ranks may have, and would wait for this one."""
        for name, parameter in self._parameters:
            if name not in self._handles:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                self._starter(name)(parameter)


def _check_types(parameters: Sequence[tuple[str, nn.Parameter]]) -> None:
    for name, weight in parameters:
        if weight.dtype not in AVERAGED_TYPES:
            raise UsageError(
                f"Horovod cannot average gradients of type {weight.dtype} (parameter {name})",
                "use exchange: ddp, or weights of float32.",
            )


@dataclass(frozen=True, slots=True)
class _View:
    """How a tensor's elements lie in memory."""

    strides: tuple[int, ...]
    order: tuple[int, ...] | None
    """Of its dimensions, so that the permuted tensor is contiguous; None where it is."""


def _memory_of(tensor: Tensor) -> Tensor:
    """A contiguous view of the same elements, in the order in which they lie: layouts agree between ranks."""
    order = _view_of(tensor).order
    return tensor if order is None else tensor.permute(order)


def _view_of(tensor: Tensor) -> _View:
    strides = tuple(tensor.stride())
    if tensor.is_contiguous():
        return _View(strides, None)
    order = tuple(
        sorted(range(tensor.dim()), key=lambda dim: (strides[dim], tensor.shape[dim]), reverse=True)
    )
    if not tensor.permute(order).is_contiguous():
        raise UsageError(
            f"a tensor of shape {tuple(tensor.shape)} and strides {tensor.stride()} has gaps in memory",
            "make the model's parameters and buffers contiguous.",
        )
    return _View(strides, order)


def moments_of(device: str) -> ReadyMoments:
    """The moments of ``cpu`` or ``cuda:N``."""
    return HostMoments() if torch.device(device).type == "cpu" else DeviceMoments()


class LoadedHorovod:
    """``horovod.torch``, once it was imported and begun."""

    def __init__(self, horovod: Any, library: Any) -> None:  # Any: Horovod is untyped
        self._horovod = horovod
        self._start, self._average = horovod.allreduce_async_, horovod.Average
        self._synchronize, self._last_finished_ns = horovod.synchronize, getattr(library, NOTE_OF_END)

    def start_average(self, tensor: Tensor, name: str) -> int:
        """Begin to average ``tensor`` over all ranks, in place; gives a handle."""
        handle: int = self._start(tensor, name=name, op=self._average)
        return handle

    def start_broadcast(self, tensor: Tensor, name: str) -> int:
        """Begin to overwrite ``tensor`` with that of rank 0; gives a handle."""
        return int(self._horovod.broadcast_async_(tensor, root_rank=0, name=name))

    def wait(self, handle: int) -> int:
        """Wait for what was begun; gives the moment [ns] at which it was done."""
        self._synchronize(handle)
        done_ns: int = self._last_finished_ns()
        return done_ns
