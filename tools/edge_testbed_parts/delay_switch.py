"""A switch in user space that hands every frame on after its delay, for kernels without netem.

A frame leaves when its last bit would have come: links are busy for as long as a frame takes at their rate,
and what comes meanwhile waits. So a burst that a device's token bucket lets pass at once is as long as it
should be.

It joins interfaces by packet(7) sockets and learns which address lies behind which. Frames are taken and
given with the notes of the kernel (PACKET_VNET_HDR), so that several segments may pass as one and checksums
need not be made.
"""

import heapq
import json
import os
import select
import signal
import socket
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

_ALL_PROTOCOLS = 0x0003
_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_BUFFER_BYTES = 1 << 24
_FRAME_BYTES = 1 << 17
_NOTE_BYTES = 10
_HEADER_BYTES = 66
"""Ethernet, IPv4 and TCP with time stamps; the kernel shows them once for all segments of a buffer."""
_QUEUE_S = 0.1
_BATCH = 32
"""Frames taken from one port before the others are looked at."""


def serve(interfaces: Sequence[str], delays_path: Path, applied_path: Path) -> None:
    """Joins interfaces until the process ends; on SIGHUP the delays are read again.

    ``delays_path`` holds ``{"number": n, "delays_s": [[...]], "up": [...], "down": [...]}``: delays from each
    interface to each, and seconds that one byte takes from each and to each. Once they hold, the number is
    written to ``applied_path``.
    """
    _go_first()
    switch = _Switch([_port(name) for name in interfaces])

    def read(*_: int | FrameType | None) -> None:
        told = json.loads(delays_path.read_text())
        switch.delays_s, switch.up_s, switch.down_s = told["delays_s"], told["up"], told["down"]
        partial = applied_path.with_suffix(".partial")
        partial.write_text(str(told["number"]))
        partial.replace(applied_path)

    signal.signal(signal.SIGHUP, read)
    read()
    while True:
        switch.turn()


class _Switch:
    """Ports, what is known to lie behind them, and the frames that wait."""

    def __init__(self, ports: Sequence[socket.socket]) -> None:
        self._ports = list(ports)
        self._numbers = {port: number for number, port in enumerate(self._ports)}
        self._behind: dict[bytes, int] = {}
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._count = 0
        self._buffer = memoryview(bytearray(_FRAME_BYTES))
        self._up_free_s, self._down_free_s = [0.0] * len(self._ports), [0.0] * len(self._ports)
        self.delays_s: list[list[float]] = []
        self.up_s: list[float] = []
        self.down_s: list[float] = []

    def turn(self) -> None:
        """Waits for a frame or for a moment to hand one on, and does what there is to do."""
        left_s = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
        # Not epoll, which waits for whole milliseconds.
        ready, _, _ = select.select(self._ports, [], [], left_s)
        for port in ready:
            self._take(port)
        self._give()

    def _take(self, port: socket.socket) -> None:
        source, buffer = self._numbers[port], self._buffer
        now_s = time.monotonic()
        for _ in range(_BATCH):
            try:
                size = port.recv_into(buffer, 0, socket.MSG_DONTWAIT)
            except OSError:  # nothing more, or the interface is down for a moment
                return
            frame = bytes(buffer[:size])
            self._behind[frame[_NOTE_BYTES + 6 : _NOTE_BYTES + 12]] = source
            target = self._behind.get(frame[_NOTE_BYTES : _NOTE_BYTES + 6])
            # Unknown addresses and those of groups: to all others.
            targets = range(len(self._ports)) if target is None else (target,)
            self._wait(now_s, source, targets, frame)

    def _wait(self, now_s: float, source: int, targets: Iterable[int], frame: bytes) -> None:
        """Has a frame wait until its last bit has come to each target."""
        size = _wire_bytes(frame)
        begun_s = max(now_s, self._up_free_s[source])
        sent_s = self._up_free_s[source] = begun_s + size * self.up_s[source]
        for target in targets:
            if target == source:
                continue
            delay_s = self.delays_s[source][target]
            free_s = max(begun_s + delay_s, self._down_free_s[target])
            if free_s - now_s - delay_s > _QUEUE_S:
                continue  # lost, as where a router's queue is full
            self._down_free_s[target] = free_s + size * self.down_s[target]
            self._count += 1
            due_s = max(sent_s + delay_s, self._down_free_s[target])
            heapq.heappush(self._waiting, (due_s, self._count, target, frame))

    def _give(self) -> None:
        waiting = self._waiting
        now_s = time.monotonic()
        while waiting and waiting[0][0] <= now_s:
            _, _, target, frame = heapq.heappop(waiting)
            # A full queue or a port that is down loses the frame, as a wire does.
            with suppress(OSError):
                self._ports[target].send(frame, socket.MSG_DONTWAIT)


def _wire_bytes(frame: bytes) -> int:
    """Bytes of a buffer as frames on a wire; its note tells how long a segment is (virtio_net_hdr)."""
    size = len(frame) - _NOTE_BYTES
    segment = frame[4] | frame[5] << 8
    return size + _HEADER_BYTES * ((size - _HEADER_BYTES - 1) // segment) if segment else size


def _go_first() -> None:
    """Has this process run as soon as there is something to do, as the kernel's own queues would."""
    with suppress(OSError):  # that takes root
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def _port(interface: str) -> socket.socket:
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    port.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    with suppress(OSError):  # older kernels show what this process sends, too
        port.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    for forced, asked in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            port.setsockopt(socket.SOL_SOCKET, forced, _BUFFER_BYTES)
        except OSError:
            port.setsockopt(socket.SOL_SOCKET, asked, _BUFFER_BYTES)
    port.bind((interface, _ALL_PROTOCOLS))
    return port
