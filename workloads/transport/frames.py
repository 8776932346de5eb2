"""Frames between two programs: a JSON header and, behind it, the raw bytes of a tensor.

A frame begins with 16 bytes: ``NRGN``, the bytes of the header (4), the bytes of the body (8), little-endian.
Nothing that arrives is ever executed, and what is too large is refused before memory is taken for it.
"""

import json
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MAX_HEADER_BYTES = 1 << 24
"""Lengths and names of about a million sequences."""
MAX_BODY_BYTES = 1 << 36
"""Logits of 340 000 rows over 50 000 tokens in float32."""
_PREFIX = struct.Struct("<4sIQ")
_MAGIC = b"NRGN"
_DROPPED_BYTES = 1 << 16

Header = Mapping[str, Any]  # Any: as JSON gives it
Buffer = bytes | bytearray | memoryview


class WireError(ConnectionError):
    """Bytes that are no frame, or a frame beyond the limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The most that is taken from the other end [bytes]."""

    header_bytes: int = MAX_HEADER_BYTES
    body_bytes: int = MAX_BODY_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message. Its header names its ``kind``."""

    header: Header
    body: Buffer = b""
    lost: str = ""
    """Why the body is not here, though it was sent; the next frame follows as ever."""


def packed(frame: Frame) -> list[memoryview]:
    """A frame as what is sent, one buffer after the other; the body is not copied.

    Raises:
        WireError: when the other end would refuse it.
    """
    header = json.dumps(frame.header, separators=(",", ":")).encode()
    body = memoryview(frame.body)
    if len(header) > MAX_HEADER_BYTES or body.nbytes > MAX_BODY_BYTES:
        raise WireError(
            f"a message of {len(header)} + {body.nbytes} bytes is beyond the limit of {MAX_HEADER_BYTES} + "
            f"{MAX_BODY_BYTES}; ask for fewer sequences at once."
        )
    head = memoryview(_PREFIX.pack(_MAGIC, len(header), body.nbytes) + header)
    return [head, body.cast("B")] if body.nbytes else [head]


def send_frame(connection: socket.socket, frame: Frame) -> None:
    """Send a whole frame over a blocking socket."""
    send_packed(connection, packed(frame))


def send_packed(connection: socket.socket, buffers: Sequence[memoryview]) -> None:
    """Send what ``packed`` gave over a blocking socket."""
    unsent = list(buffers)
    while unsent:
        unsent = following(unsent, connection.sendmsg(unsent))


def following(buffers: Sequence[memoryview], num_sent: int) -> list[memoryview]:
    """What of ``buffers`` follows the first ``num_sent`` bytes."""
    for index, buffer in enumerate(buffers):
        if num_sent < buffer.nbytes:
            return [buffer[num_sent:], *buffers[index + 1 :]]
        num_sent -= buffer.nbytes
    return []


class FrameReader:
    """Frames from a socket, as their bytes arrive; of a blocking socket, each call waits for one."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self._connection = connection
        self.limits = limits
        self._parts = self._next_parts()
        self._missing = memoryview(b"")

    def read(self) -> Frame | None:
        """The next whole frame; None when the other end has closed.

        Raises:
            BlockingIOError: when there is no whole one yet; what has arrived is kept.
            WireError: for what is no frame.
            OSError: for a broken connection.
        """
        while True:
            while self._missing:
                num_bytes = self._connection.recv_into(self._missing)
                if num_bytes == 0:
                    return None
                self._missing = self._missing[num_bytes:]
            self._missing = memoryview(b"")  # what has arrived is not kept here
            part = next(self._parts)
            if isinstance(part, Frame):
                return part
            self._missing = part

    def _next_parts(self) -> Iterator[memoryview | Frame]:
        """The buffers that bytes are wanted in, one after the other, and each frame when it is whole."""
        while True:
            prefix = memoryview(bytearray(_PREFIX.size))
            yield prefix
            num_header_bytes, num_body_bytes = self._sizes(prefix)
            header = memoryview(bytearray(num_header_bytes))
            yield header
            try:
                room = [np.empty(num_body_bytes, np.uint8).data]  # unlike a bytearray, not filled with zeros
            except MemoryError:
                yield from _dropped(num_body_bytes)
                yield Frame(header=_parsed(header), lost=f"there was no memory for {num_body_bytes} bytes")
            else:
                yield room[0]
                yield Frame(header=_parsed(header), body=room.pop())  # and kept here no longer

    def _sizes(self, prefix: memoryview) -> tuple[int, int]:
        magic, num_header_bytes, num_body_bytes = _PREFIX.unpack(prefix)
        if magic != _MAGIC:
            raise WireError(f"{bytes(prefix)!r} does not begin a message.")
        if num_header_bytes > self.limits.header_bytes or num_body_bytes > self.limits.body_bytes:
            raise WireError(
                f"a message of {num_header_bytes} + {num_body_bytes} bytes is beyond the limit of "
                f"{self.limits.header_bytes} + {self.limits.body_bytes}."
            )
        return num_header_bytes, num_body_bytes


def _dropped(num_bytes: int) -> Iterator[memoryview]:
    """Buffers that take so many bytes, one after the other, in the same little memory."""
    room = memoryview(bytearray(min(num_bytes, _DROPPED_BYTES)))
    while num_bytes:
        part = room[:num_bytes]
        yield part
        num_bytes -= part.nbytes


def _parsed(header: memoryview) -> Header:
    try:
        parsed = json.loads(bytes(header))
    except ValueError as error:
        raise WireError(f"a message's header is no JSON: {error}") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("kind"), str):
        raise WireError("a message's header names no kind.")
    return parsed
