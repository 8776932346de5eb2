"""Where messages of all neighbours come in: room for each that is expected, and word of what is here."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import NamedTuple

from workloads.galaxy.engine.message import Header, Kind, MessageError
from workloads.transport.link_error import LinkError

PASSES_PER_EPOCH = 1 << 40


class Arrival(NamedTuple):
    """A message that is here."""

    kind: int
    half: int
    which: int


class Room(NamedTuple):
    """Where a body belongs."""

    view: memoryview
    passed_to: int | None
    """The device that it is sent on to, as it is."""


Key = tuple[int, int, int]
"""Kind, half modulo 2, and index: a neighbour needs what this device makes, and is never two halves ahead.

Where it may be, the index tells more (``sequence_parallel``).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What comes in during one pass."""

    rooms: Mapping[Key, Room] = field(default_factory=dict)
    tag: int = 0
    epoch: int = 0
    """Of the plan. Passes are counted anew with it: some devices may have sat out the plan before."""
    devices: Sequence[int] = ()
    """Those that take part."""


class _Lost(NamedTuple):
    device: int
    last: int
    """The last pass that it took part in to the end."""
    error: LinkError


class Desk:
    """Shared by the thread that works and those that receive."""

    def __init__(self) -> None:
        self._arrived: SimpleQueue[Arrival | _Lost] = SimpleQueue()
        self._turn = threading.Condition()
        self._number = 0
        self._expected = Expected()
        self._lost: dict[int, _Lost] = {}
        self._is_closed = False

    @property
    def number(self) -> int:
        """Of the pass that is worked on, or was last."""
        return self._number

    def begin(self, expected: Expected) -> int:
        """The number of a pass that begins now.

        Raises:
            LinkError: when one of its devices is gone.
        """
        with self._turn:
            number = max(self._number, expected.epoch * PASSES_PER_EPOCH) + 1
            for device in expected.devices:
                lost = self._lost.get(device)
                if lost is not None and lost.last < number:
                    raise lost.error
            self._expected, self._number = expected, number
            self._turn.notify_all()
            return number

    def room(self, header: Header, device: int) -> Room:
        """Where the body of a message belongs; waits until this device begins the pass.

        Raises:
            MessageError: for one that is not expected.
            LinkError: when the desk is closed.
        """
        if header.number > self._number:
            with self._turn:
                self._turn.wait_for(lambda: self._is_closed or header.number <= self._number)
        if self._is_closed:
            raise LinkError("this device has closed")
        room = self._expected.rooms.get((header.kind, header.half & 1, header.which))
        if header.number != self._number or header.tag != self._expected.tag or room is None:
            raise MessageError(
                f"device {device} sent {_named(header)} of pass {header.number} (tag {header.tag:08x}), "
                f"which is not expected in pass {self._number} (tag {self._expected.tag:08x}); give all "
                "devices the same plan and request."
            )
        if room.view.nbytes != header.num_bytes:
            raise MessageError(
                f"device {device} sent {header.num_bytes} bytes as {_named(header)}, where "
                f"{room.view.nbytes} are expected; give all devices the same model and precision."
            )
        return room

    def put(self, arrival: Arrival) -> None:
        """A body is in its room."""
        self._arrived.put(arrival)

    def lose(self, device: int, error: LinkError) -> None:
        """A neighbour cannot be reached any more."""
        self._note(_Lost(device, -1, error))

    def part(self, device: int, last: int) -> None:
        """A neighbour has parted, and took part in passes up to ``last``."""
        self._note(_Lost(device, last, LinkError(f"device {device} has parted after pass {last}")))

    def poll(self) -> Arrival | None:
        """The next message that is here; None where there is none.

        Raises:
            LinkError: when a device of this pass is gone.
        """
        try:
            return self._checked(self._arrived.get_nowait())
        except Empty:
            return None

    def wait(self) -> Arrival:
        """The next message.

        Raises:
            LinkError: when a device of this pass is gone.
        """
        while True:
            arrival = self._checked(self._arrived.get())
            if arrival is not None:
                return arrival

    def close(self) -> None:
        """Whoever waits here need not any more."""
        with self._turn:
            self._is_closed = True
            self._turn.notify_all()

    def _note(self, lost: _Lost) -> None:
        with self._turn:
            self._lost.setdefault(lost.device, lost)
            if lost.last < self._number:
                self._arrived.put(lost)

    def _checked(self, arrival: Arrival | _Lost) -> Arrival | None:
        if isinstance(arrival, Arrival):
            return arrival
        if arrival.device in self._expected.devices:
            raise arrival.error
        return None


def _named(header: Header) -> str:
    kind = Kind(header.kind).name.lower() if header.kind in set(Kind) else f"kind {header.kind}"
    return f"{kind} {header.which} of half {header.half}"
