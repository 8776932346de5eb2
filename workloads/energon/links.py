"""The links of a rank to its neighbours in the pipeline: messages go one way, credits come back.

Rank t of a stage talks to rank t of the next one over a TCP connection. A header of fixed size tells how
large the body behind it is. A message has started once the next stage takes it, and starting it gives a
credit back; a stage computes on while less than ``num_buffers`` of its messages have not started. Nobody
polls, and no stage waits for a transfer: one thread receives, one sends. Sockets, because gloo moves every
message in a thread of its own: on busy cores its way there and back took 2.9 ms where a socket took 0.09 ms.
"""

import torch

from workloads.energon.inlet import Inlet
from workloads.energon.meter import Meter, unmetered
from workloads.energon.neighbour import Neighbour
from workloads.energon.outlet import Outlet
from workloads.energon.stage_message import Message
from workloads.transport.link_error import LinkError


class Links:
    """Both neighbours of a rank; the first stage has none before it, the last one none behind."""

    def __init__(
        self,
        before: Neighbour | None,
        behind: Neighbour | None,
        *,
        num_buffers: int,
        is_blocking: bool,
        meter: Meter = unmetered,
    ) -> None:
        self._inlet = None if before is None else Inlet(before, is_blocking=is_blocking, meter=meter)
        self._outlet = (
            None if behind is None else Outlet(behind, num_buffers, is_blocking=is_blocking, meter=meter)
        )

    @property
    def is_first(self) -> bool:
        """Whether no stage is before this one."""
        return self._inlet is None

    @property
    def is_last(self) -> bool:
        """Whether no stage is behind this one."""
        return self._outlet is None

    @property
    def device(self) -> torch.device:
        """Where rows must be that are given."""
        if self._outlet is None:
            raise LinkError("the last stage has no stage behind it to give to")
        return self._outlet.device

    def take(self) -> Message:
        """The next message of the stage before; waits for it.

        Raises:
            LinkError: when that stage is gone.
        """
        if self._inlet is None:
            raise LinkError("the first stage has no stage before it to take from")
        return self._inlet.take()

    def give(self, message: Message) -> None:
        """Hand a message over; its rows, contiguous and on ``device``, must not change any more.

        Raises:
            LinkError: when the next stage is gone.
        """
        if self._outlet is None:
            raise LinkError("the last stage has no stage behind it to give to")
        self._outlet.give(message)

    def close(self) -> None:
        """Part from both neighbours, which do the same, once they have taken what was given."""
        if self._outlet is not None:
            self._outlet.close()
        if self._inlet is not None:
            self._inlet.close()
