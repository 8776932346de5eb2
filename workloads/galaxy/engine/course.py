"""How a kind of parallelism takes one pass through the layers."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from workloads.galaxy.engine.desk import Key, Room
from workloads.galaxy.engine.inbox import Inbox
from workloads.galaxy.engine.pieces import Pieces
from workloads.transformer.split import Span


class Course(Protocol):
    """One device's way through passes of one number of rows."""

    @property
    def rooms(self) -> Mapping[Key, Room]:
        """What other devices send on the way."""

    @property
    def known(self) -> Sequence[Span]:
        """The rows whose hidden states the device of each place has in the end."""

    def run(self, tokens: Tensor, pieces: Pieces, inbox: Inbox) -> Tensor:
        """Hidden states [known rows, hidden] behind the last layer.

        Raises:
            LinkError: when a device of this pass is gone.
        """
