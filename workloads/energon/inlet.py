"""The end of a link that takes."""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue

import torch
from torch import Tensor, distributed

from workloads.energon.host_bytes import bytes_of, fill
from workloads.energon.neighbour import Neighbour
from workloads.energon.rank_errors import LinkError
from workloads.energon.stage_message import HEADER_BYTES, Header, Kind, Message, decoded

_CREDIT = b"\1"
_CLOSING_S = 5.0


class Inlet:
    """Receives in the background; the other end sends no more than may wait here."""

    def __init__(self, neighbour: Neighbour, *, is_blocking: bool) -> None:
        self._neighbour = neighbour
        self._arrived: SimpleQueue[_Arrived | LinkError] = SimpleQueue()
        # A stream of its own: what is received does not wait for what is computed.
        self._stream = _new_stream(neighbour.device)
        self._thread = None if is_blocking else threading.Thread(target=self._listen, daemon=True)
        if self._thread is not None:
            self._thread.start()

    def take(self) -> Message:
        """The next message, which starts with this."""
        arrived = self._receive() if self._thread is None else self._arrived.get()
        if isinstance(arrived, LinkError):
            self._arrived.put(arrived)  # for the next who asks
            raise LinkError(str(arrived)) from arrived
        with self._neighbour.reached():
            self._neighbour.connection.sendall(_CREDIT)
        return arrived.message()

    def close(self) -> None:
        """Part from the other end; what was not taken is lost."""
        with suppress(OSError):
            self._neighbour.connection.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(_CLOSING_S)
        self._neighbour.connection.close()

    def _listen(self) -> None:
        arrived: _Arrived | LinkError | None = None
        while not isinstance(arrived, LinkError):
            try:
                arrived = self._receive()
            except LinkError as error:
                arrived = error
            except Exception as error:  # no memory, say: whoever takes next must know
                text = (
                    f"rows of rank {self._neighbour.rank} cannot be received: {type(error).__name__}: {error}"
                )
                arrived = LinkError(text)
            self._arrived.put(arrived)

    def _receive(self) -> "_Arrived":
        neighbour = self._neighbour
        raw = bytearray(HEADER_BYTES)
        with neighbour.reached():
            fill(memoryview(raw), neighbour.connection)
        header = decoded(raw)
        if header.kind is Kind.FAILED:
            return _Arrived(header=header)
        with torch.cuda.stream(self._stream):
            size = (header.num_rows, header.num_columns)
            body = torch.empty(size, dtype=header.dtype, device=neighbour.device)
            with neighbour.reached():
                if neighbour.bodies is None:
                    fill(bytes_of(body), neighbour.connection)
                else:
                    distributed.recv(body, neighbour.rank, neighbour.bodies)
            event = None if self._stream is None else self._stream.record_event()
        return _Arrived(header=header, body=body, event=event)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrived:
    """A message that has not started."""

    header: Header
    body: Tensor | None = None
    event: torch.cuda.Event | None = None

    def message(self) -> Message:
        """The message, which work on the current stream may use."""
        if self.body is not None and self.event is not None:
            stream = torch.cuda.current_stream(self.body.device)
            stream.wait_event(self.event)
            self.body.record_stream(stream)
        return Message(key=self.header.key, rows=self.body, failure=self.header.failure)


def _new_stream(device: torch.device) -> torch.cuda.Stream | None:
    if device.type != "cuda":
        return None
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
