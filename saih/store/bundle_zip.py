"""The ZIP file of a bundle, read strictly: only what SAIH itself writes, in the order that it writes.

The standard library's reader takes a whole directory to memory and forgives much: bytes between entries,
entries that overlap, names and sizes that its two copies tell differently. What is forgiven can hide, so
here every byte of the file belongs to one entry or to the directory, and both copies must agree.
Layout: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16.
"""

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from saih.store.bundle_layout import (
    MAX_ENTRIES,
    MAX_FILE_BYTES,
    MAX_NAME_BYTES,
    MAX_RATIO,
    MAX_TOTAL_BYTES,
    max_bytes,
    name_problem,
)
from saih.store.bundle_refusal import refusal

MODE = stat.S_IFREG | 0o644
UNIX = 3
DATE_TIME = (1980, 1, 1, 0, 0, 0)
_DOS_DATE, _DOS_TIME = 0x21, 0
STORED, DEFLATED = 0, 8
_LOCAL, _CENTRAL, _END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
_END64, _LOCATOR = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_CHUNK_BYTES = 2**16
_ENCRYPTED = 1 | 1 << 6 | 1 << 13
_STREAMED = 1 << 3
_UTF8 = 1 << 11
_SPECIAL = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
_VERSIONS = (20, 45)
"""Of the format, that unpacking needs."""
_KINDS = {
    stat.S_IFLNK: "it is a symbolic link",
    stat.S_IFDIR: "it is a folder, not a file",
    stat.S_IFCHR: "it is a device",
    stat.S_IFBLK: "it is a device",
    stat.S_IFIFO: "it is a pipe",
    stat.S_IFSOCK: "it is a socket",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Where the directory of a ZIP file is."""

    num_entries: int
    offset: int
    num_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of a ZIP file, as both copies of its description tell it."""

    name: str
    offset: int
    """Of its packed bytes."""
    packed_bytes: int
    num_bytes: int
    crc32: int
    is_deflated: bool


def read_directory(descriptor: int) -> Directory:
    """Where the directory is, if it is where a bundle has it and not too large.

    Raises:
        DamagedData: otherwise.
    """
    size = os.fstat(descriptor).st_size
    if size > MAX_FILE_BYTES:
        raise refusal(f"it has {size} bytes, more than {MAX_FILE_BYTES}")
    if size < _END.size or os.pread(descriptor, 4, 0) not in (b"PK\x03\x04", b"PK\x05\x06"):
        raise refusal("it is no ZIP file")
    end = size - _END.size
    signature, disk, first_disk, here, total, num_bytes, offset, comment = _END.unpack(
        os.pread(descriptor, _END.size, end)
    )
    if signature != b"PK\x05\x06":
        raise refusal("it is truncated, or something was added at its end")
    if disk or first_disk or here != total or comment:
        raise refusal("it has several parts or a comment, as no bundle has")
    if total == 0xFFFF:
        total, end = _total64(descriptor, end, num_bytes, offset)
    if total > MAX_ENTRIES:
        raise refusal(f"it has {total} entries, more than {MAX_ENTRIES}")
    if offset + num_bytes != end or num_bytes > total * (_CENTRAL.size + MAX_NAME_BYTES):
        raise refusal("its directory is not where its end says, or too large for its entries")
    return Directory(num_entries=total, offset=offset, num_bytes=num_bytes)


def entries(descriptor: int, directory: Directory) -> Iterator[Entry]:
    """The entries in order; one after the other without a gap, each with a name that a bundle may have.

    Raises:
        DamagedData: for the first that a bundle cannot have, by its name.
    """
    place, expected, previous, total_bytes = directory.offset, 0, "", 0
    for _ in range(directory.num_entries):
        head = os.pread(descriptor, _CENTRAL.size + MAX_NAME_BYTES + 1, place)
        name, entry = _entry(descriptor, head, expected)
        if name <= previous:
            raise refusal(_order_problem(descriptor, directory, name), name)
        total_bytes += entry.num_bytes
        if total_bytes > MAX_TOTAL_BYTES:
            raise refusal(f"it unpacks to more than {MAX_TOTAL_BYTES} bytes")
        yield entry
        place += _CENTRAL.size + len(name)
        expected, previous = entry.offset + entry.packed_bytes, name
    if place != directory.offset + directory.num_bytes or expected != directory.offset:
        raise refusal("it holds bytes that belong to no entry")


def contents(descriptor: int, entry: Entry) -> Iterator[bytes]:
    """What an entry unpacks to, in pieces; the end is reached only if size and checksum are as told.

    Raises:
        DamagedData: otherwise, before more than the told size was given.
    """
    crc32, num_bytes = 0, 0
    for piece in _unpacked(descriptor, entry):
        num_bytes += len(piece)
        if num_bytes > entry.num_bytes:
            raise refusal("it unpacks to more bytes than it says", entry.name)
        crc32 = zlib.crc32(piece, crc32)
        yield piece
    if num_bytes != entry.num_bytes:
        raise refusal(f"it unpacks to {num_bytes} bytes and says {entry.num_bytes}", entry.name)
    if crc32 != entry.crc32:
        raise refusal("its checksum (CRC) is wrong", entry.name)


def _unpacked(descriptor: int, entry: Entry) -> Iterator[bytes]:
    if not entry.is_deflated:
        yield from _packed(descriptor, entry)
        return
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in _packed(descriptor, entry):
            if unpack.eof:
                raise refusal("its packed bytes go on after their end", entry.name)
            yield unpack.decompress(packed, _CHUNK_BYTES)
            # What did not fit is still in there, with or without packed bytes that were not looked at.
            yield from iter(lambda: unpack.decompress(unpack.unconsumed_tail, _CHUNK_BYTES), b"")
    except zlib.error as error:
        raise refusal("its packed bytes cannot be unpacked", entry.name) from error
    if not unpack.eof:
        raise refusal("its packed bytes end too early", entry.name)
    if unpack.unused_data:
        raise refusal("its packed bytes go on after their end", entry.name)


def _packed(descriptor: int, entry: Entry) -> Iterator[bytes]:
    end = entry.offset + entry.packed_bytes
    for place in range(entry.offset, end, _CHUNK_BYTES):
        piece = os.pread(descriptor, min(_CHUNK_BYTES, end - place), place)
        if not piece:
            raise refusal("its packed bytes end too early", entry.name)
        yield piece


def _total64(descriptor: int, end: int, num_bytes: int, offset: int) -> tuple[int, int]:
    """The number of entries where it is too large for the old field, and where the directory ends."""
    place = end - _LOCATOR.size - _END64.size
    if place < 0:
        raise refusal("its end is damaged")
    end64, locator = (
        os.pread(descriptor, _END64.size, place),
        os.pread(descriptor, _LOCATOR.size, place + _END64.size),
    )
    total = int(_END64.unpack(end64)[6])
    expected = _END64.pack(b"PK\x06\x06", _END64.size - 12, 45, 45, 0, 0, total, total, num_bytes, offset)
    if locator != _LOCATOR.pack(b"PK\x06\x07", 0, place, 1) or not _is_end64(end64, expected):
        raise refusal("its end is damaged")
    return total, place


def _is_end64(found: bytes, expected: bytes) -> bool:
    """Whether they agree but for the versions of the format, of which writers differ."""
    return found[:12] + found[16:] == expected[:12] + expected[16:]


def _entry(descriptor: int, head: bytes, expected: int) -> tuple[str, Entry]:
    if len(head) < _CENTRAL.size or head[:4] != b"PK\x01\x02":
        raise refusal("its directory is damaged")
    (_, made, needed, flags, method, time, date, crc32, packed, size, name_size, extra, comment,
     disk, internal, external, offset) = _CENTRAL.unpack_from(head)  # fmt: skip
    raw = head[_CENTRAL.size : _CENTRAL.size + name_size]
    name = raw.decode("utf-8" if flags & _UTF8 else "cp437", errors="replace")
    if problem := (
        _attribute_problem(made, flags, method, external)
        or name_problem(name)
        or _size_problem(name, packed, size, method)
    ):
        raise refusal(problem, name)
    if extra or comment or disk or internal or flags or len(raw) != name_size or needed not in _VERSIONS:
        raise refusal("it carries an extra field, a comment or a flag, as no file of a bundle does", name)
    if (date, time) != (_DOS_DATE, _DOS_TIME):
        raise refusal("it is dated, as no file of a bundle is", name)
    if offset != expected:
        raise refusal("it overlaps another entry, or there is a gap before it", name)
    local = _LOCAL.pack(
        b"PK\x03\x04", needed, flags, method, time, date, crc32, packed, size, name_size, extra
    )
    if os.pread(descriptor, _LOCAL.size + name_size, offset) != local + raw:
        raise refusal("its two descriptions in the ZIP file differ", name)
    return name, Entry(
        name=name,
        offset=offset + _LOCAL.size + name_size,
        packed_bytes=packed,
        num_bytes=size,
        crc32=crc32,
        is_deflated=method == DEFLATED,
    )


def _attribute_problem(made: int, flags: int, method: int, external: int) -> str:
    mode = external >> 16
    problems = (
        (flags & _ENCRYPTED, "it is encrypted"),
        (flags & _STREAMED, "it does not say its size before its bytes"),
        (method not in (STORED, DEFLATED), f"it is packed by method {method}, neither stored nor deflated"),
        (mode & _SPECIAL, "it has a setuid, setgid or sticky mode"),
        (stat.S_IFMT(mode) in _KINDS, _KINDS.get(stat.S_IFMT(mode), "")),
        (mode != MODE or external & 0xFFFF or made >> 8 != UNIX, f"its mode is {mode:o}, not {MODE:o}"),
    )
    return next((problem for is_found, problem in problems if is_found), "")


def _size_problem(name: str, packed: int, size: int, method: int) -> str:
    limit = max_bytes(name) or 0
    if size > limit:
        return f"it has {size} bytes, more than {limit}"
    if method == STORED and packed != size:
        return "it is stored, and its two sizes differ"
    if size > MAX_RATIO * packed:
        return f"it unpacks to more than {MAX_RATIO} times its size"
    return ""


def _order_problem(descriptor: int, directory: Directory, name: str) -> str:
    """Whether an entry out of order is there twice."""
    place, found = directory.offset, 0
    for _ in range(directory.num_entries):
        head = os.pread(descriptor, _CENTRAL.size + MAX_NAME_BYTES + 1, place)
        if len(head) < _CENTRAL.size:
            break
        name_size, extra, comment = _CENTRAL.unpack_from(head)[10:13]
        found += head[_CENTRAL.size : _CENTRAL.size + name_size] == name.encode()
        place += _CENTRAL.size + name_size + extra + comment
    if found > 1:
        return "it is there twice"
    return "it is out of order: another program than SAIH packed this file"
