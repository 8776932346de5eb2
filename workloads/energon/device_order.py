"""What makes computing wait for copies, and copies for computing, where both run on a device's own time."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import torch


class DeviceOrder(Protocol):
    """The order between one thread that fills slots and another that computes with what is in them."""

    def filling(self, slot: int) -> AbstractContextManager[None]:
        """Around the copies into a slot, on the thread that fills: they begin when its last use is over."""

    def before_use(self, slot: int) -> None:
        """What is enqueued from now on, on the thread that computes, begins when the slot is filled."""

    def after_use(self, slot: int) -> None:
        """The slot's use ends with what is enqueued so far."""

    def finish(self) -> None:
        """Wait until the device has done all copies and all use."""


def device_order(device: torch.device, num_slots: int) -> DeviceOrder:
    """The order of a device."""
    return CudaOrder(device, num_slots) if device.type == "cuda" else HostOrder()


class HostOrder:
    """Copies and products are done when their calls return."""

    def filling(self, slot: int) -> AbstractContextManager[None]:
        """Nothing to wait for."""
        return nullcontext()

    def before_use(self, slot: int) -> None:
        """Nothing to wait for."""

    def after_use(self, slot: int) -> None:
        """Nothing to say."""

    def finish(self) -> None:
        """Nothing is under way."""


class CudaOrder:
    """Copies run on a stream of their own; two events for each slot order them and the computing stream.

    The host waits for neither. This class has not been run on a GPU yet.
    """

    def __init__(self, device: torch.device, num_slots: int) -> None:
        self._device = device
        torch.cuda.synchronize(device)  # layers were written through the slots on another stream
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._filled = [_event() for _ in range(num_slots)]
        self._used = [_event() for _ in range(num_slots)]

    @contextmanager
    def filling(self, slot: int) -> Iterator[None]:
        """Enqueue on the copying stream."""
        with torch.cuda.stream(self._stream):
            self._stream.wait_event(self._used[slot])  # an event never recorded is over already
            yield
            self._filled[slot].record(self._stream)

    def before_use(self, slot: int) -> None:
        """Let the current stream wait for the copy."""
        torch.cuda.current_stream(self._device).wait_event(self._filled[slot])

    def after_use(self, slot: int) -> None:
        """Note the place in the current stream behind the use."""
        self._used[slot].record(torch.cuda.current_stream(self._device))

    def finish(self) -> None:
        """Wait for all streams of the device."""
        torch.cuda.synchronize(self._device)


def _event() -> torch.cuda.Event:
    return torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch leaves it untyped
