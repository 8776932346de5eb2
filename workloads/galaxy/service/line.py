"""The coordinator's end of the connection to one device."""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic
from typing import Any

from workloads.transport.frames import Frame, FrameReader, Limits, send_frame


@dataclass(frozen=True, slots=True)
class Heard:
    """A frame from a device."""

    device: int
    frame: Frame


@dataclass(frozen=True, slots=True)
class Lost:
    """A device of which nothing more will be heard."""

    device: int
    why: str


class _Listened(socket.socket):
    """A connection that knows when bytes last came: a long answer is a sign of life before it is whole."""

    last_s = 0.0

    def recv_into(self, *where: Any) -> int:  # Any: as socket has it
        num_bytes = super().recv_into(*where)
        self.last_s = monotonic()
        return num_bytes


class Line:
    """Frames to a device; what it answers goes to ``events`` from a thread of its own."""

    def __init__(self, device: int, connection: socket.socket, events: "SimpleQueue[object]") -> None:
        self._device = device
        self._connection = _Listened(fileno=connection.detach())
        self._events = events
        self._sending = threading.Lock()
        threading.Thread(target=self._listen, name=f"galaxy device {device}", daemon=True).start()

    @property
    def silent_s(self) -> float:
        """How long ago the last bytes came [s]."""
        return monotonic() - self._connection.last_s

    def send(self, frame: Frame) -> None:
        """Send a frame; a device that is gone is told as ``Lost``, not here."""
        with self._sending, suppress(OSError):
            send_frame(self._connection, frame)

    def close(self) -> None:
        """Part from the device, which then ends what it does."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _listen(self) -> None:
        reader, why = FrameReader(self._connection, Limits()), "it closed its connection"
        try:
            while (frame := reader.read()) is not None:
                self._events.put(Heard(self._device, frame))
        except (OSError, ValueError) as error:
            why = f"its connection broke: {error}"
        self._events.put(Lost(self._device, why))
