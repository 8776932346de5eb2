"""Batches moved to a GPU while the step before them works: one ahead, on a stream of its own."""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from saih.harness.prefetch import Making
from saih.harness.usage import Reading

Batch = Any  # of the workload: tensors in tuples, lists and mappings
Moved = tuple[Batch, Making, torch.cuda.Event]


class Source(Protocol):
    """Gives batches on the host, in page-locked memory."""

    @property
    def reading(self) -> Reading | None:
        """See ``Feed``."""

    @property
    def thread_ids(self) -> frozenset[int]:
        """See ``Feed``."""

    @property
    def has_next(self) -> bool:
        """Whether the next batch lies ready."""

    def take(self) -> tuple[Batch, Making]:
        """The next batch, and what making it took; waits for it."""


class DeviceFeed:
    """Gives batches on the GPU; the copy of the next one is under way when one is given.

    The stream on which steps are queued waits for the copy, not the host. Two batches are on the device.
    """

    def __init__(self, source: Source, device: str) -> None:
        self._source = source
        self._device = torch.device(device)
        self._copies = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._ahead: Moved | None = None

    @property
    def reading(self) -> Reading | None:
        """What the loaders read."""
        return self._source.reading

    @property
    def thread_ids(self) -> frozenset[int]:
        """Those of the loaders."""
        return self._source.thread_ids

    def take(self) -> tuple[Batch, Making]:
        """The next batch on the device, and what making it took; waits where it is not made yet."""
        batch, making, copied = self._ahead or self._begun(self._source.take())
        steps = torch.cuda.current_stream(self._device)
        steps.wait_event(copied)
        # Made on another stream: its memory is not given away before the steps' stream has used it.
        for_all_tensors(batch, lambda tensor: tensor.record_stream(steps))
        # A batch that is not made yet is not waited for: the step at hand goes first.
        self._ahead = self._begun(self._source.take()) if self._source.has_next else None
        return batch, making

    def _begun(self, made: tuple[Batch, Making]) -> Moved:
        batch, making = made
        with torch.cuda.stream(self._copies):
            moved = mapped(batch, lambda tensor: tensor.to(self._device, non_blocking=True))
            copied = torch.cuda.Event()  # type: ignore[no-untyped-call]  # as above
            copied.record(self._copies)
        return moved, making, copied


def mapped(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The batch with every tensor changed, in tuples, lists and dictionaries; what else it holds stays."""
    if isinstance(batch, Tensor):
        return change(batch)
    if isinstance(batch, tuple | list):
        return type(batch)(mapped(part, change) for part in batch)
    if isinstance(batch, dict):
        return {name: mapped(part, change) for name, part in batch.items()}
    return batch


def for_all_tensors(batch: Batch, act: Callable[[Tensor], object]) -> None:
    """Call ``act`` with every tensor of a batch."""

    def acted(tensor: Tensor) -> Tensor:
        act(tensor)
        return tensor

    mapped(batch, acted)
