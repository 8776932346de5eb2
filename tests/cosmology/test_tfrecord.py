"""TFRecord files: what is written is read, here and by another reader; every damage is told."""

import gzip
import os
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tfrecord.reader import tfrecord_iterator

from cosmology.dataset_error import DatasetError
from cosmology.tfrecord import masked_crc32c, read_records, write_records

PAYLOADS = st.lists(st.binary(max_size=300), max_size=5)
LEVELS = st.sampled_from([None, 1, 6])


def framed(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    checksums = [struct.pack("<I", masked_crc32c(part)) for part in (length, payload)]
    return length + checksums[0] + payload + checksums[1]


def contents(path: Path, **limits: int) -> list[bytes]:
    return [bytes(record.payload) for record in read_records(path, **limits)]


@settings(max_examples=30)
@given(PAYLOADS, LEVELS)
def test_records_that_are_written_are_read(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], level: int | None
) -> None:
    path = tmp_path_factory.mktemp("records") / "some.tfrecord"
    write_records(path, ([payload[:7], memoryview(payload[7:])] for payload in payloads), gzip_level=level)
    assert contents(path) == payloads
    again = path.with_name("again.tfrecord")
    write_records(again, ([payload] for payload in payloads), gzip_level=level)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("level", [None, 6])
def test_another_reader_reads_what_is_written(tmp_path: Path, level: int | None) -> None:
    payloads = [b"", b"one", os.urandom(5000)]
    write_records(tmp_path / "a.tfrecord", ([payload] for payload in payloads), gzip_level=level)
    records = tfrecord_iterator(
        str(tmp_path / "a.tfrecord"), compression_type=None if level is None else "gzip"
    )
    assert [bytes(record) for record in records] == payloads


def test_offsets_are_those_of_the_unpacked_file(tmp_path: Path) -> None:
    write_records(tmp_path / "a", ([bytes(size)] for size in (3, 0, 70)), gzip_level=1)
    assert [record.offset for record in read_records(tmp_path / "a")] == [0, 19, 35]


def test_every_flipped_bit_of_a_plain_file_is_found(tmp_path: Path) -> None:
    whole, path = framed(b"some particles") + framed(b"and more"), tmp_path / "flipped.tfrecord"
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(DatasetError, match=r"flipped\.tfrecord.*(again|raise the limit)"):
            contents(path)


def test_every_flipped_bit_of_a_gzip_file_is_found_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "flipped.tfrecord"
    write_records(path, [[b"some particles, " * 20]], gzip_level=6)
    whole, expected = path.read_bytes(), contents(path)
    num_found = 0
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert contents(path) == expected  # bits of gzip's head name a time and a system
        except DatasetError:
            num_found += 1
    assert num_found > 8 * (len(whole) - 10)


@pytest.mark.parametrize("is_gzip", [False, True])
def test_a_file_cut_anywhere_but_between_records_is_truncated(tmp_path: Path, *, is_gzip: bool) -> None:
    whole, path = framed(b"0123456789") + framed(b"abc"), tmp_path / "cut.tfrecord"
    packed = gzip.compress(whole) if is_gzip else whole
    for length in range(1, len(packed)):
        path.write_bytes(packed[:length])
        if length == len(framed(b"0123456789")) and not is_gzip:
            assert contents(path) == [b"0123456789"]
            continue
        with pytest.raises(DatasetError, match=r"truncated|cannot be read|damaged"):
            contents(path)


@pytest.mark.parametrize("claimed", [1 << 20, 1 << 40, 2**64 - 1])
def test_no_memory_is_taken_for_a_length_that_is_only_claimed(tmp_path: Path, claimed: int) -> None:
    length = struct.pack("<Q", claimed)
    path = tmp_path / "claim.tfrecord"
    path.write_bytes(length + struct.pack("<I", masked_crc32c(length)) + bytes(100))
    with pytest.raises(DatasetError, match=f"byte 0 is truncated: it should have {claimed} bytes"):
        contents(path)


def test_a_record_above_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    write_records(tmp_path / "large", [[b"small"], [bytes(1001)]], gzip_level=9)
    records = read_records(tmp_path / "large", max_record_bytes=1000)
    assert bytes(next(records).payload) == b"small"
    with pytest.raises(DatasetError, match="byte 21 has 1001 bytes, above the limit of 1000"):
        next(records)


def test_zeros_that_gzip_packs_well_end_at_their_first_record(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    packed = [packer.compress(bytes(1 << 20)) for _ in range(16)]
    (tmp_path / "bomb").write_bytes(b"".join([*packed, packer.flush()]))
    with pytest.raises(DatasetError, match="the checksum of its length disagrees"):
        contents(tmp_path / "bomb")


def test_a_plain_file_that_begins_as_gzip_does_is_read_as_what_it_is(tmp_path: Path) -> None:
    payload = bytes(0x088B1F)  # its length begins with the bytes 1f 8b 08
    write_records(tmp_path / "plain", [[payload]], gzip_level=None)
    assert (tmp_path / "plain").read_bytes().startswith(b"\x1f\x8b\x08")
    assert contents(tmp_path / "plain") == [payload]


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, words in (
        ("nothing", "is missing"),
        ("", "is no regular file"),
        ("pipe", "is no regular file"),
    ):
        with pytest.raises(DatasetError, match=words):
            contents(tmp_path / name)
    (tmp_path / "empty").touch()
    assert contents(tmp_path / "empty") == []
