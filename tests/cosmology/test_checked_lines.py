"""JSON lines with a checksum at their end."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosmology.checked_lines import read_checked_lines, write_checked_lines
from cosmology.dataset_error import DatasetError

LINES = [{"b": [1, 2.5], "a": "x"}, {}, {"c": None}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_checked_lines(tmp_path / "file.jsonl", LINES)
    return tmp_path / "file.jsonl"


def test_lines_come_back_in_order(path: Path) -> None:
    assert list(read_checked_lines(path)) == LINES


def test_a_file_without_lines_is_whole_too(tmp_path: Path) -> None:
    write_checked_lines(tmp_path / "file.jsonl", [])
    assert list(read_checked_lines(tmp_path / "file.jsonl")) == []


def test_any_flipped_bit_is_found(path: Path) -> None:
    whole = path.read_bytes()
    for place in range(8 * len(whole)):
        data = bytearray(whole)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        with pytest.raises(DatasetError, match=r"file\.jsonl is damaged .* delete it"):
            list(read_checked_lines(path))


def test_any_truncation_and_anything_behind_the_end_is_found(path: Path) -> None:
    whole = path.read_bytes()
    for data in [whole[:length] for length in range(len(whole))] + [whole + b"\n", whole + whole]:
        path.write_bytes(data)
        with pytest.raises(DatasetError, match="is damaged"):
            list(read_checked_lines(path))


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"file\.jsonl is missing; generate"):
        list(read_checked_lines(tmp_path / "file.jsonl"))


def test_a_line_of_absurd_length_is_not_read_to_its_end(path: Path) -> None:
    os.truncate(path, 1 << 30)  # sparse
    with pytest.raises(DatasetError, match="is damaged"):
        list(read_checked_lines(path))


def test_a_file_of_absurd_size_is_refused_unread(path: Path) -> None:
    os.truncate(path, 1 << 40)  # sparse
    with pytest.raises(DatasetError, match="larger than any"):
        list(read_checked_lines(path))


def test_a_writer_that_fails_leaves_what_was_there(path: Path) -> None:
    def failing() -> Iterator[dict[str, object]]:
        yield {"new": 1}
        raise DatasetError("lost")

    with pytest.raises(DatasetError, match="lost"):
        write_checked_lines(path, failing())
    assert list(read_checked_lines(path)) == LINES
    assert list(path.parent.iterdir()) == [path]
