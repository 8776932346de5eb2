"""One connection to another device: a thread that sends, one that receives, and nothing that polls.

Messages of several kinds share it, made by several threads; each travels whole, and the header tells what it
is. A small one is sent by who made it, where nothing waits: waking a thread would last longer. Buffers of TCP
are left to the kernel, which lets them grow further than a program may ask for.
"""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import NamedTuple

from workloads.galaxy.engine.desk import Arrival, Desk
from workloads.galaxy.engine.link_pace import LinkPace
from workloads.galaxy.engine.message import HEADER_BYTES, Kind, header_of
from workloads.transport.host_bytes import fill
from workloads.transport.link_error import LinkError

_AT_ONCE_BYTES = 1 << 16
_CLOSING_S = 5.0
_SILENT_S = 2
"""After so long without a word the other host is asked whether it is there, twice at most."""
PassOn = Callable[[int, bytes, memoryview], None]


class _Sending(NamedTuple):
    due_s: float
    parts: Sequence[memoryview | bytes]


class Link:
    """Both directions between this device and another."""

    def __init__(
        self,
        device: int,
        connection: socket.socket,
        desk: Desk,
        pass_on: PassOn,
        pace: LinkPace | None = None,
    ) -> None:
        self._device = device
        self._connection = connection
        self._desk = desk
        self._pass_on = pass_on
        self._pace = pace
        self._turn = threading.Condition()
        self._waiting: SimpleQueue[_Sending | None] = SimpleQueue()
        self._num_waiting = 0
        self._lost: LinkError | None = None
        self.sent_bytes = 0
        """Headers and bodies that were given to it."""
        _tune(connection)
        self._threads = [
            threading.Thread(target=work, name=f"{name} device {device}", daemon=True)
            for name, work in (("to", self._send_waiting), ("from", self._listen))
        ]
        for thread in self._threads:
            thread.start()

    def send(self, header: bytes, body: memoryview) -> None:
        """Send in the background; the body must not change until ``drained``, or until it was answered to.

        Raises:
            LinkError: when the other device is gone.
        """
        with self._turn:
            if self._lost is not None:
                raise self._lost
            self.sent_bytes += HEADER_BYTES + body.nbytes
            parts: Sequence[memoryview | bytes] = (header, body)
            due_s = 0.0
            if self._pace is not None:
                due_s = self._pace.due_s(HEADER_BYTES + body.nbytes)
            elif not self._num_waiting and body.nbytes <= _AT_ONCE_BYTES:
                parts = self._sent_at_once(parts)
            if parts:
                self._num_waiting += 1
                self._waiting.put(_Sending(due_s, parts))

    def drained(self) -> None:
        """Wait until nothing that was given is needed here any more."""
        with self._turn:
            self._turn.wait_for(lambda: not self._num_waiting)

    def close(self) -> None:
        """Part, once all is sent; what comes in is not wanted."""
        self._waiting.put(None)
        self._threads[0].join(_CLOSING_S)
        self.abort()

    def abort(self) -> None:
        """Break off."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._waiting.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_CLOSING_S)
        self._connection.close()

    def _sent_at_once(self, parts: Sequence[memoryview | bytes]) -> Sequence[memoryview | bytes]:
        """What the kernel did not take."""
        try:
            return _behind(parts, self._connection.sendmsg(parts, (), socket.MSG_DONTWAIT))
        except BlockingIOError:
            return parts
        except OSError as error:
            raise self._losing(error) from error

    def _send_waiting(self) -> None:
        while (sending := self._waiting.get()) is not None:
            try:
                if self._lost is None:
                    self._send(sending)
            except OSError as error:
                self._losing(error)
            with self._turn:
                self._num_waiting -= 1
                if not self._num_waiting:
                    self._turn.notify_all()

    def _send(self, sending: _Sending) -> None:
        left_s = sending.due_s - time.monotonic()
        if sending.due_s and left_s > 0:
            time.sleep(left_s)
        parts = sending.parts
        while parts:
            parts = _behind(parts, self._connection.sendmsg(parts))

    def _listen(self) -> None:
        raw = bytearray(HEADER_BYTES)
        try:
            while True:
                fill(memoryview(raw), self._connection)
                header = header_of(raw)
                if header.kind == Kind.FAREWELL:
                    self._desk.part(self._device, header.number)
                    return
                room = self._desk.room(header, self._device)
                fill(room.view, self._connection)
                if room.passed_to is not None:
                    self._pass_on(room.passed_to, bytes(raw), room.view)
                self._desk.put(Arrival(header.kind, header.half, header.which))
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            self._losing(error)

    def _losing(self, error: Exception) -> LinkError:
        told = error if type(error) is not LinkError and isinstance(error, LinkError) else None
        lost = told or LinkError(f"the connection to device {self._device} is lost: {error}")
        if self._lost is None:
            self._lost = lost
            self._desk.lose(self._device, lost)
        return self._lost


def _behind(parts: Sequence[memoryview | bytes], num_sent: int) -> Sequence[memoryview | bytes]:
    """What is left of parts of which so many bytes are sent."""
    left: list[memoryview | bytes] = []
    for part in parts:
        size = len(part) if isinstance(part, bytes) else part.nbytes
        if num_sent < size:
            left.append(part[num_sent:])
        num_sent = max(0, num_sent - size)
    return left


def _tune(connection: socket.socket) -> None:
    """Blocking, without delay of small messages, and with an end when the other host falls silent."""
    connection.settimeout(None)
    if connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _SILENT_S // 2)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
