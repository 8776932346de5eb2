"""What stages tell each other: hidden states or a failure, announced by a header of fixed size."""

import struct
from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

_FIXED = struct.Struct("<qqqHHH")  # key, rows, columns, kind, number of the type, bytes of text
HEADER_BYTES = 512
"""Every header has so many; a body has what its header tells. So nothing is ever received in a wrong size."""
CREDIT, ARRIVED = b"\1", b"\2"
"""What is told back of each message, one after the other: that work on it starts, and before that, where
somebody measures, that all of it is there."""
_TEXT_BYTES = HEADER_BYTES - _FIXED.size
_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


class Kind(IntEnum):
    """What follows a header."""

    ROWS = 1
    """A body of just the size that the header tells."""
    FAILED = 2
    """Nothing: the pass failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What is known of a message before its body."""

    kind: Kind
    key: int = 0
    num_rows: int = 0
    num_columns: int = 0
    dtype: torch.dtype = torch.float32
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one stage gives to the next for one command."""

    key: int
    rows: Tensor | None
    """Hidden states [rows, hidden]; None where the pass failed, or they were lost."""
    failure: str = ""
    """Why; all ranks of the stage got the same."""
    lost: str = ""
    """Why this rank alone has no rows; others of its stage may have theirs. It is never sent."""


def header_of(message: Message) -> Header:
    """The header that announces a message."""
    if message.rows is None:
        return Header(kind=Kind.FAILED, key=message.key, failure=message.failure)
    num_rows, num_columns = message.rows.shape
    return Header(
        kind=Kind.ROWS,
        key=message.key,
        num_rows=num_rows,
        num_columns=num_columns,
        dtype=message.rows.dtype,
    )


def encoded(header: Header) -> bytes:
    """The header as ``HEADER_BYTES`` bytes; a failure's text is cut where it is too long."""
    text = header.failure.encode()[:_TEXT_BYTES]
    number = _DTYPES.index(header.dtype)
    fixed = _FIXED.pack(header.key, header.num_rows, header.num_columns, header.kind, number, len(text))
    return (fixed + text).ljust(HEADER_BYTES, b"\0")


def decoded(data: bytes | bytearray) -> Header:
    """The header in ``HEADER_BYTES`` bytes."""
    key, num_rows, num_columns, kind, number, text_bytes = _FIXED.unpack_from(data)
    text = data[_FIXED.size : _FIXED.size + text_bytes]
    return Header(
        kind=Kind(kind),
        key=key,
        num_rows=num_rows,
        num_columns=num_columns,
        dtype=_DTYPES[number],
        failure=text.decode(errors="ignore"),
    )
