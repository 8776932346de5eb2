"""Gradient exchange between ranks, and what it costs a step.

Two durations describe it, the same for every implementation:

* exposed: from the moment the last piece of the gradient is ready on this rank to the end of the
  backward pass. All gradient arithmetic of this rank is done by then, so this is what the exchange adds
  to the step. Never more than the backward pass itself.
* total: the length of the union, over all pieces (buckets of DDP, parameters of Horovod), of the
  intervals from "ready on this rank" to "averaged on this rank", and of the exposed interval. Waiting
  for slower ranks is in it; it is never less than the exposed part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import nn


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
        """Called when the host leaves a backward pass, before the device is waited for."""

    def take(self, ends_ns: Sequence[int]) -> list[Communication]:
        """The cost of each backward pass since the last call, which ended at ``ends_ns`` on the device.

        Without any moments what was noted is forgotten. The device has been waited for.
        """

    def pause(self, *, is_paused: bool) -> None:
        """From the next step on, ranks keep their gradients, or share them again; on all ranks alike."""


class NoExchange:
    """Ranks keep their gradients: the exchange of one rank, or the resource taken away from several."""

    def attach(self, model: nn.Module) -> nn.Module:
        """The model itself."""
        return model

    def end_backward(self) -> None:
        """Nothing to note."""

    def take(self, ends_ns: Sequence[int]) -> list[Communication]:
        """Nothing was exchanged."""
        return [NO_COMMUNICATION] * len(ends_ns)

    def pause(self, *, is_paused: bool) -> None:
        """Nothing to pause."""


def communication(pieces: Sequence[tuple[int, int]], end_ns: int) -> Communication:
    """The cost of one step: (ready, averaged) moments of its pieces, and the backward pass's end [ns]."""
    if not pieces:
        return NO_COMMUNICATION
    last_ready_ns = max(ready_ns for ready_ns, _ in pieces)
    exposed = (last_ready_ns, max(end_ns, last_ready_ns))
    return Communication(total_ns=union_length([*pieces, exposed]), exposed_ns=exposed[1] - exposed[0])


def union_length(intervals: Sequence[tuple[int, int]]) -> int:
    """Length of the union of (begin, end) intervals, in their unit."""
    length, covered = 0, None
    for begin, end in sorted(intervals):
        start = begin if covered is None else max(begin, covered)
        length += max(0, end - start)
        covered = end if covered is None else max(end, covered)
    return length
