"""What else the running side of an application may offer, besides being prepared and stepped."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from workloads.protocol import Told


@runtime_checkable
class TellingSession(Protocol):
    """A session that has more to tell of its steps than how long they took."""

    def tell(self, num_steps: int) -> Told:
        """What this rank tells of the last ``num_steps`` steps; all ranks call it, so it may exchange."""


@runtime_checkable
class TellingJob(Protocol):
    """The job side of an application whose sessions tell."""

    def notes(self, told: Sequence[Told]) -> Mapping[str, str]:
        """What the ranks told, by rank, as notes of the point; keys end in their unit."""


@runtime_checkable
class FedSession(Protocol):
    """A session whose batches several threads may make at once, and others move to its device.

    Tensors of a batch are in page-locked memory where the device is a GPU.
    """

    @property
    def num_producers(self) -> int:
        """How many threads may call ``produce`` at the same time."""


@runtime_checkable
class RecordedSession(Protocol):
    """A session whose operations may run unseen: recorded by a device, or inside kernels of its own."""

    @property
    def is_recorded(self) -> bool:
        """Whether they do: those that it declares then stand for them."""
