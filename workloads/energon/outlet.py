"""The end of a link that gives."""

import socket
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue

import torch
from torch import Tensor, distributed
from torch.distributed import Work

from workloads.energon.meter import Activity, Meter, unmetered
from workloads.energon.neighbour import Neighbour
from workloads.energon.stage_message import ARRIVED, Message, encoded, header_of
from workloads.transport.host_bytes import bytes_of
from workloads.transport.link_error import LinkError

_AT_ONCE_BYTES = 1 << 16
"""What the kernel takes without delay, so that waking a thread for it would last longer."""
_CLOSING_S = 5.0
_MOST_TOLD_BYTES = 4096


class Outlet:
    """Sends in the background, and counts what has not started at the other end.

    ``meter`` is told how long that end is waited for: as long as the oldest message that has not started is
    on its way, that is communication; once it is there, a wait for a busy stage.
    """

    def __init__(
        self, neighbour: Neighbour, num_buffers: int, *, is_blocking: bool, meter: Meter = unmetered
    ) -> None:
        self._neighbour = neighbour
        self._num_buffers = max(1, num_buffers)
        self._is_blocking = is_blocking
        self._meter = meter
        self._unstarted: deque[_Sent] = deque()
        self._queue: SimpleQueue[Sequence[memoryview] | None] = SimpleQueue()
        self._num_arrived = 0
        """Of those that have not started."""
        self._num_queued = self._num_sent = 0
        self._lost: Exception | None = None
        self._thread = threading.Thread(target=self._send_queued, daemon=True)
        self._thread.start()

    @property
    def device(self) -> torch.device:
        """Where rows must be that are given."""
        return self._neighbour.device

    def give(self, message: Message) -> None:
        """Send without waiting, once less than ``num_buffers`` messages have not started there."""
        with self._neighbour.reached():
            self._wait_until(self._num_buffers - 1)
            self._send(message)
            self._meter("communication")
            if self._is_blocking:
                self._wait_until(0)

    def close(self) -> None:
        """Part from the other end, once all has started there, or it is gone, or takes too long."""
        connection, self._meter = self._neighbour.connection, unmetered
        with suppress(OSError, RuntimeError):
            connection.settimeout(_CLOSING_S)
            self._wait_until(0)
        self._queue.put(None)
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(_CLOSING_S)
        connection.close()

    def _wait_until(self, num_unstarted: int) -> None:
        while len(self._unstarted) > num_unstarted:
            activity: Activity = "wait" if self._num_arrived else "communication"
            self._hear()
            self._meter(activity)

    def _hear(self) -> None:
        told = self._neighbour.connection.recv(_MOST_TOLD_BYTES)
        if not told:
            raise LinkError("it has closed") from self._lost
        for one in told:
            if one == ARRIVED[0]:
                self._num_arrived += 1
            else:
                self._unstarted.popleft()
                self._num_arrived = max(0, self._num_arrived - 1)

    def _send(self, message: Message) -> None:
        if self._lost is not None:
            raise LinkError(str(self._lost)) from self._lost
        body = message.rows
        parts = [memoryview(encoded(header_of(message)))]
        if body is not None and self._neighbour.bodies is None:
            parts.append(bytes_of(body))
        if self._num_queued == self._num_sent and (
            self._is_blocking or sum(part.nbytes for part in parts) <= _AT_ONCE_BYTES
        ):
            _send_all(self._neighbour.connection, parts)
        else:
            self._num_queued += 1
            self._queue.put(parts)
        work = None
        if body is not None and self._neighbour.bodies is not None:
            work = distributed.isend(body, self._neighbour.rank, self._neighbour.bodies)
        self._unstarted.append(_Sent(body=body, work=work))

    def _send_queued(self) -> None:
        try:
            while (parts := self._queue.get()) is not None:
                _send_all(self._neighbour.connection, parts)
                self._num_sent += 1
        except OSError as error:
            self._lost = error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """What must stay where it is until the other end has it."""

    body: Tensor | None
    work: Work | None


def _send_all(connection: socket.socket, parts: Sequence[memoryview]) -> None:
    *first, last = parts
    for part in first:
        connection.sendall(part, socket.MSG_MORE)
    connection.sendall(last)
