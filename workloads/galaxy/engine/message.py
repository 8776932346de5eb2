"""What devices send each other in a pass: a header of fixed size, and a body whose size both know."""

import struct
from enum import IntEnum
from typing import NamedTuple

from workloads.transport.link_error import LinkError

_LAYOUT = struct.Struct("<IHBxIQQ")
HEADER_BYTES = _LAYOUT.size


class Kind(IntEnum):
    """What a body is."""

    PARTIAL = 0
    """A tile's sum of the parts of some devices."""
    GATHERED = 1
    """A tile as its owner made it."""
    DIRECT = 2
    """One device's part of a sum, told to all others."""
    STATES = 3
    """Hidden states for the next stage of a pipeline."""
    ROWS = 4
    """Hidden states behind the last layer of which something is wanted."""
    ANSWER = 5
    """A device's part of what is wanted."""
    TOKENS = 6
    FAREWELL = 7
    """The device parts; its number is that of the last pass that it took part in."""


class Header(NamedTuple):
    """What is told of a body."""

    tag: int
    """Of the plan and the request: devices that disagree about these do not read each other's bodies."""
    half: int
    """Which half of a layer, from 0."""
    kind: int
    which: int
    """Of a tile, or the place of a device."""
    number: int
    """Of the pass; it rises."""
    num_bytes: int


class MessageError(LinkError):
    """A message that this device does not expect: the others work by another plan, or on another request."""


def written(header: Header) -> bytes:
    """A header as it travels."""
    return _LAYOUT.pack(*header)


def header_of(raw: bytes | bytearray) -> Header:
    """The header that was sent."""
    return Header(*_LAYOUT.unpack(raw))
