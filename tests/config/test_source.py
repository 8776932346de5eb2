"""Reading the text of a sweep file: no file hangs or floods the reader."""

import os
from pathlib import Path

import pytest

from saih.config.source import MAX_FILE_BYTES, read_text
from saih.domain.errors import UsageError


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        read_text(path)
    assert caught.value.remedy
    return caught.value.problem


def test_text_comes_back_without_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "é ü $.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: \xc3\xa9\r\n")
    assert read_text(path) == "name: é\r\n"


def test_a_file_of_more_than_a_megabyte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    with path.open("wb") as file:
        file.truncate(10**9)
    assert "larger than" in refusal(path)
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES)
    assert len(read_text(path)) == MAX_FILE_BYTES


def test_latin_1_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_bytes(b"name: a\n# \xe9\n")
    assert f"{path}:2 is not UTF-8" in refusal(path)


def test_fifos_devices_and_folders_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in refusal(tmp_path / "fifo")
    assert "not a regular file" in refusal(Path("/dev/zero"))
    assert "directory" in refusal(tmp_path).lower()


def test_a_missing_file_is_told_with_how_to_write_one(tmp_path: Path) -> None:
    assert "no sweep file" in refusal(tmp_path / "none.yaml")


def test_a_path_with_a_null_character_is_refused() -> None:
    assert "null" in refusal(Path("a\0b"))
