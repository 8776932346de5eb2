"""Messages of the type tf.train.Example, read and written without protobuf: named lists of bytes or floats.

Layout: ``tensorflow/core/example/example.proto`` and ``feature.proto``, wire types by the encoding guide of
Protocol Buffers. The work for a message is bounded: one with many small fields is refused, not walked.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosmology.dataset_error import DatasetError

MAX_MESSAGE_BYTES = 2**31 - 1
"""Protocol Buffers' own limit of a message."""
_MAX_FIELDS = 4096
_MAX_VARINT_BYTES = 10
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_BYTES_LIST, _FLOAT_LIST = 1, 2
"""Field numbers of tf.train.Feature; 3, lists of integers, is passed over."""

Field = tuple[int, memoryview | int]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Example:
    """The features of a message by name, those of integers left out."""

    byte_lists: Mapping[str, tuple[memoryview, ...]]
    float_lists: Mapping[str, NDArray[np.float32]]


class _MalformedError(ValueError):
    """Bytes that are no such message."""


def parse_example(payload: memoryview, where: str) -> Example:
    """The features of a message; ``where`` names it in errors.

    Raises:
        DatasetError: for bytes that are no such message, or one of too many fields.
    """
    byte_lists: dict[str, tuple[memoryview, ...]] = {}
    float_lists: dict[str, NDArray[np.float32]] = {}
    budget = iter(range(_MAX_FIELDS))
    try:
        for features in _messages(payload, 1, budget):
            for entry in _messages(features, 1, budget):
                name, feature = _entry(entry, budget)
                for kind, values in _fields(feature, budget):
                    if kind == _BYTES_LIST:
                        byte_lists[name] = tuple(_messages(_message(values), 1, budget))
                    elif kind == _FLOAT_LIST:
                        float_lists[name] = _floats(_message(values), budget)
    except (_MalformedError, UnicodeDecodeError) as error:
        raise DatasetError(
            f"{where} holds no tf.train.Example ({error}); give files of CosmoFlow samples."
        ) from error
    return Example(byte_lists=byte_lists, float_lists=float_lists)


def encode_example(
    name: str, content: memoryview, other: str, floats: NDArray[np.float32]
) -> list[bytes | memoryview]:
    """A message of one list of bytes with one element, and one of floats, in parts that are not copied."""
    bytes_head = _tag(1) + _varint_of(len(content))
    bytes_list = _tag(_BYTES_LIST) + _varint_of(len(bytes_head) + len(content)) + bytes_head
    head = _entry_head(name, len(bytes_list) + len(content)) + bytes_list
    packed = _with_length(1, floats.astype("<f4").tobytes())
    float_list = _with_length(_FLOAT_LIST, packed)
    tail = _entry_head(other, len(float_list)) + float_list
    length = len(head) + len(content) + len(tail)
    return [_tag(1) + _varint_of(length) + head, content, tail]


def _entry(entry: memoryview, budget: Iterator[int]) -> tuple[str, memoryview]:
    """Name and feature of one entry of the map."""
    name, feature = "", memoryview(b"")
    for number, value in _fields(entry, budget):
        if number == 1:
            name = str(_message(value), "utf-8")
        elif number == 2:
            feature = _message(value)
    return name, feature


def _floats(message: memoryview, budget: Iterator[int]) -> NDArray[np.float32]:
    """A list of floats, packed or not."""
    parts = [_message(value) for number, value in _fields(message, budget) if number == 1]
    if any(len(part) % 4 for part in parts):
        raise _MalformedError("a list of floats ends within one")
    return np.frombuffer(b"".join(parts), "<f4")


def _messages(message: memoryview, wanted: int, budget: Iterator[int]) -> Iterator[memoryview]:
    """The fields of one number, which must be messages, strings or bytes."""
    return (_message(value) for number, value in _fields(message, budget) if number == wanted)


def _message(value: memoryview | int) -> memoryview:
    if isinstance(value, int):
        raise _MalformedError("a number where a message is due")
    return value


def _fields(message: memoryview, budget: Iterator[int]) -> Iterator[Field]:
    """Number and value of each field of a message."""
    position = 0
    while position < len(message):
        if next(budget, None) is None:
            raise _MalformedError(f"it has more than {_MAX_FIELDS} fields")
        tag, position = _varint(message, position)
        wire_type = tag & 7
        if wire_type == _VARINT:
            value, position = _varint(message, position)
            yield tag >> 3, value
            continue
        if wire_type == _LENGTH:
            length, position = _varint(message, position)
        elif wire_type in _FIXED_BYTES:
            length = _FIXED_BYTES[wire_type]
        else:
            raise _MalformedError(f"a field of wire type {wire_type}")
        if length > len(message) - position:
            raise _MalformedError("a field reaches over the end of its message")
        yield tag >> 3, message[position : position + length]
        position += length


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number of 7 bits a byte, least first, and the position behind it."""
    number = 0
    for index, byte in enumerate(message[position : position + _MAX_VARINT_BYTES]):
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, position + index + 1
    raise _MalformedError("a number without an end")


def _varint_of(number: int) -> bytes:
    septets = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(septet | 0x80 for septet in septets[:-1]), septets[-1]])


def _tag(number: int) -> bytes:
    """Head of a field that is a message, a string or bytes."""
    return struct.pack("B", number << 3 | _LENGTH)


def _with_length(number: int, content: bytes) -> bytes:
    return _tag(number) + _varint_of(len(content)) + content


def _entry_head(name: str, feature_bytes: int) -> bytes:
    """The beginning of an entry of the map, up to its feature of so many bytes."""
    key = _with_length(1, name.encode())
    value_head = _tag(2) + _varint_of(feature_bytes)
    return _tag(1) + _varint_of(len(key) + len(value_head) + feature_bytes) + key + value_head
