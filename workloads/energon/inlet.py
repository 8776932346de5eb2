"""The end of a link that takes."""

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue

import torch
from torch import Tensor, distributed

from workloads.energon.meter import Meter, unmetered
from workloads.energon.neighbour import Neighbour
from workloads.energon.stage_message import (
    ARRIVED,
    CREDIT,
    HEADER_BYTES,
    Header,
    Kind,
    Message,
    decoded,
)
from workloads.transport.host_bytes import bytes_of, drop, fill
from workloads.transport.link_error import LinkError

_CLOSING_S = 5.0


class Inlet:
    """Receives in the background; the other end sends no more than may wait here.

    ``meter`` is told when the wait for a message is over and its bytes come, and when they are all here. For
    that whoever takes is woken by the header, too, and the other end is told of each arrival; without a meter
    neither happens, since both take time.
    """

    def __init__(self, neighbour: Neighbour, *, is_blocking: bool, meter: Meter = unmetered) -> None:
        self._neighbour = neighbour
        self._meter = meter
        self._is_metered = meter is not unmetered
        self._arrived: SimpleQueue[_Arrived | LinkError | None] = SimpleQueue()
        """None: the next message is coming."""
        # A stream of its own: what is received does not wait for what is computed.
        self._stream = _new_stream(neighbour.device)
        self._thread = None if is_blocking else threading.Thread(target=self._listen, daemon=True)
        if self._thread is not None:
            self._thread.start()

    def take(self) -> Message:
        """The next message, which starts with this."""
        arrived = self._next()
        self._meter("communication")
        self._tell(CREDIT)
        return arrived.message()

    def close(self) -> None:
        """Part from the other end; what was not taken is lost."""
        with suppress(OSError):
            self._neighbour.connection.shutdown(socket.SHUT_RDWR)
        if self._thread is not None:
            self._thread.join(_CLOSING_S)
        self._neighbour.connection.close()

    def _next(self) -> "_Arrived":
        """The next message.

        Raises:
            LinkError: when nothing can be received any more.
        """
        if self._thread is None:
            return self._received()
        while (arrived := self._arrived.get()) is None:
            self._meter("wait")
        if isinstance(arrived, LinkError):
            self._arrived.put(arrived)  # for the next who asks
            raise LinkError(str(arrived)) from arrived
        return arrived

    def _listen(self) -> None:
        while True:
            try:
                self._arrived.put(self._received())
            except LinkError as error:
                self._arrived.put(error)
                return

    def _received(self) -> "_Arrived":
        try:
            return self._receive()
        except LinkError:
            raise
        except Exception as error:  # whatever it is, what follows cannot be told apart any more
            raise LinkError(
                f"messages of rank {self._neighbour.rank} are out of step: {type(error).__name__}: {error}"
            ) from error

    def _receive(self) -> "_Arrived":
        raw = bytearray(HEADER_BYTES)
        with self._neighbour.reached():
            fill(memoryview(raw), self._neighbour.connection)
        header = decoded(raw)
        if self._is_metered:
            self._announce()
        arrived = _Arrived(header=header) if header.kind is Kind.FAILED else self._with_body(header)
        if self._is_metered:
            if arrived.event is not None:
                arrived.event.synchronize()  # told is what is here, not what will be
            self._tell(ARRIVED)
        return arrived

    def _announce(self) -> None:
        if self._thread is None:
            self._meter("wait")
        else:
            self._arrived.put(None)

    def _with_body(self, header: Header) -> "_Arrived":
        neighbour = self._neighbour
        with torch.cuda.stream(self._stream):
            size = (header.num_rows, header.num_columns)
            try:
                body = torch.empty(size, dtype=header.dtype, device=neighbour.device)
            except (MemoryError, RuntimeError) as error:  # as torch says it on the host and on a GPU
                return self._without_body(header, error)
            with neighbour.reached():
                if neighbour.bodies is None:
                    fill(bytes_of(body), neighbour.connection)
                else:
                    distributed.recv(body, neighbour.rank, neighbour.bodies)
            event = None if self._stream is None else self._stream.record_event()
        return _Arrived(header=header, body=body, event=event)

    def _without_body(self, header: Header, error: Exception) -> "_Arrived":
        """Let rows pass by for which there is no memory, so that the next message is found behind them."""
        neighbour = self._neighbour
        text = f"rows of rank {neighbour.rank} cannot be taken in: {error}"
        if neighbour.bodies is not None:
            raise LinkError(f"{text}; what comes from GPU to GPU cannot pass by") from error
        with neighbour.reached():
            drop(header.num_rows * header.num_columns * header.dtype.itemsize, neighbour.connection)
        return _Arrived(header=header, lost=text)

    def _tell(self, what: bytes) -> None:
        with self._neighbour.reached():
            self._neighbour.connection.sendall(what)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrived:
    """A message that has not started."""

    header: Header
    body: Tensor | None = None
    lost: str = ""
    """Why the body is not here, though it was sent."""
    event: torch.cuda.Event | None = None

    def message(self) -> Message:
        """The message, which work on the current stream may use."""
        if self.body is not None and self.event is not None:
            stream = torch.cuda.current_stream(self.body.device)
            stream.wait_event(self.event)
            self.body.record_stream(stream)
        return Message(key=self.header.key, rows=self.body, failure=self.header.failure, lost=self.lost)


def _new_stream(device: torch.device) -> torch.cuda.Stream | None:
    if device.type != "cuda":
        return None
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
