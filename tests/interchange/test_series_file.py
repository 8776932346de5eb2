import os
from pathlib import Path

import pytest

from saih.domain.errors import DamagedData, UsageError
from saih.interchange.series_file import read_series


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("size,value\n1,2\n", "FILE"),
        ("# x\nPARAMETER p\nPOINTS 1\nDATA 2\n", "values"),
        ('{"params": {"p": 1}, "value": 2}\n', "values"),
    ],
)
def test_the_format_shows_in_the_first_lines(tmp_path: Path, content: str, name: str) -> None:
    path = tmp_path / "any.name"
    path.write_text(content)
    (series,) = read_series(path)
    assert (series.name, series.values) == (name.replace("FILE", str(path)), ((2.0,),))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04" + b"\0" * 100, "zip archive"),
        (b"\x1f\x8b" + b"\0" * 100, "gzip"),
        (b"PAR1", "Parquet"),
        (b" \n\n", "empty"),
        (b"", "empty"),
    ],
)
def test_what_is_no_text_is_refused_as_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(DamagedData, match=words):
        read_series(path)


def test_ten_gigabytes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(10 * 10**9)
    with pytest.raises(DamagedData, match="10000000000 bytes, more than 67108864"):
        read_series(path)


def test_a_pipe_and_a_missing_file_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no regular file"):
        read_series(tmp_path / "pipe")
    with pytest.raises(UsageError, match="no file"):
        read_series(tmp_path / "nothing")


def test_a_byte_order_mark_hides_no_format(tmp_path: Path) -> None:
    file = tmp_path / "windows.txt"
    file.write_bytes(b"\xef\xbb\xbfPARAMETER p\r\nPOINTS 1 2\r\nDATA 3\r\nDATA 4\r\n")
    (found,) = read_series(file)
    assert found.values == ((3.0,), (4.0,))
