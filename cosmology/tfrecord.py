"""TFRecord files without TensorFlow: records framed by their length and two checksums, plain or gzip.

A record is its length (u64), the masked CRC-32C of the length, the payload, and the masked CRC-32C of the
payload, all little-endian (TensorFlow, ``tensorflow/core/lib/io/record_writer.h``). Memory stays at one
record, whatever the file claims.
"""

import gzip
import os
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from crc32c import crc32c

from cosmology.dataset_error import DatasetError
from cosmology.durable_file import durable_file

MAX_RECORD_BYTES = 256 << 20
"""The largest record that is read unless asked otherwise; an official sample has 16.8 MB."""
FETCH_AGAIN = "copy or download it again"
_HEADER = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_FRAME_BYTES = _HEADER.size + _CHECKSUM.size
_MASK_DELTA = 0xA282EAD8
_MAX_DEFLATE_RATIO = 1032
"""No deflate stream grows by more (zlib, technical details)."""
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Record:
    """One verified record."""

    offset: int
    """Where it begins [bytes], in the file once it is decompressed."""
    payload: memoryview


def read_records(path: Path, *, max_record_bytes: int = MAX_RECORD_BYTES) -> Iterator[Record]:
    """The records of a file, one in memory at a time, each once its checksums agree.

    Raises:
        DatasetError: for a file that cannot be read, is damaged or truncated, or has a larger record; it
            names file, byte and remedy.
    """
    if path.exists() and not path.is_file():
        raise DatasetError(f"{path} is no regular file; give a TFRecord file.")
    with naming_damage(path), path.open("rb") as file:
        num_bytes = os.fstat(file.fileno()).st_size
        if _is_gzip(file):
            with gzip.GzipFile(fileobj=file) as stream:
                yield from _records(path, stream, num_bytes * _MAX_DEFLATE_RATIO, max_record_bytes)
        else:
            yield from _records(path, file, num_bytes, max_record_bytes)


def write_records(
    path: Path, payloads: Iterable[Sequence[bytes | memoryview]], *, gzip_level: int | None
) -> None:
    """Write records, each given in parts; ``gzip_level`` 1 to 9, None writes them plain.

    The file is there whole or not at all, and equal payloads give equal bytes.

    Raises:
        DatasetError: when the folder cannot be written to.
    """
    with durable_file(path) as temporary, temporary.open("wb") as file:
        if gzip_level is None:
            file.writelines(part for parts in payloads for part in _framed(parts))
            return
        with gzip.GzipFile("", "wb", gzip_level, file, mtime=0) as stream:
            for parts in payloads:
                for part in _framed(parts):
                    stream.write(part)


def masked_crc32c(*parts: bytes | memoryview) -> int:
    """CRC-32C of the parts in a row, rotated and shifted so that a checksum of checksums is none."""
    checksum = 0
    for part in parts:
        checksum = crc32c(part, checksum)
    return ((checksum >> 15 | checksum << 17) + _MASK_DELTA) & 0xFFFFFFFF


@contextmanager
def naming_damage(path: Path) -> Iterator[None]:
    """Turn what reading a bad file raises into a DatasetError that names it and the remedy."""
    try:
        yield
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing; give an existing file.") from error
    except MemoryError as error:
        raise DatasetError(
            f"{path} has a record that memory cannot hold; use a machine with more."
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read ({error}); {FETCH_AGAIN}.") from error


def _is_gzip(file: BufferedIOBase) -> bool:
    """Whether a stream is gzip: a plain record may begin with gzip's mark too, but then it verifies."""
    header = file.read(_HEADER.size)
    file.seek(0)
    if not header.startswith(b"\x1f\x8b"):
        return False
    return len(header) < _HEADER.size or _HEADER.unpack(header)[1] != masked_crc32c(header[:8])


def _records(path: Path, stream: BufferedIOBase, limit: int, max_bytes: int) -> Iterator[Record]:
    """Records of a stream of at most ``limit`` bytes."""
    offset = 0
    while header := stream.read(_HEADER.size):
        where = f"{path}: the record at byte {offset}"
        if len(header) < _HEADER.size:
            raise DatasetError(f"{where} is truncated; {FETCH_AGAIN}.")
        length, checksum = _HEADER.unpack(header)
        if masked_crc32c(header[:8]) != checksum:
            raise DatasetError(f"{where} is damaged: the checksum of its length disagrees; {FETCH_AGAIN}.")
        if length > limit - offset - _FRAME_BYTES:
            raise DatasetError(f"{where} is truncated: it should have {length} bytes; {FETCH_AGAIN}.")
        if length > max_bytes:
            raise DatasetError(
                f"{where} has {length} bytes, above the limit of {max_bytes}; if you trust the file, "
                "raise the limit."
            )
        body = np.empty(length + _CHECKSUM.size, np.uint8).data
        if _filled(stream, body) < len(body):
            raise DatasetError(f"{where} is truncated: it should have {length} bytes; {FETCH_AGAIN}.")
        if masked_crc32c(body[:length]) != _CHECKSUM.unpack(body[length:])[0]:
            raise DatasetError(f"{where} is damaged: the checksum of its payload disagrees; {FETCH_AGAIN}.")
        yield Record(offset=offset, payload=body[:length])
        offset += length + _FRAME_BYTES


def _filled(stream: BufferedIOBase, body: memoryview) -> int:
    """Read into ``body`` until it is full or the stream ends; gives how many bytes were read."""
    done = 0
    # In blocks, because what is unpacked stands beside the body for a moment.
    while done < len(body) and (count := stream.readinto(body[done : done + _BLOCK_BYTES])):
        done += count
    return done


def _framed(parts: Sequence[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    length = struct.pack("<Q", sum(len(part) for part in parts))
    yield length + _CHECKSUM.pack(masked_crc32c(length))
    yield from parts
    yield _CHECKSUM.pack(masked_crc32c(*parts))
