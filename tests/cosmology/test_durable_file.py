"""Files that are whole or absent, and JSON that carries its checksum."""

import os
from pathlib import Path

import pytest

from cosmology.definition import DatasetError
from cosmology.durable_file import (
    durable_file,
    read_checked_json,
    remove_leftovers,
    remove_strays,
    sha256_of,
    write_checked_json,
)


def test_a_file_appears_only_when_its_writer_is_done(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    with durable_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def write_half(path: Path) -> None:
    with durable_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("lost")


def test_a_failed_writer_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="lost"):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_error_with_its_remedy(tmp_path: Path) -> None:
    with (
        pytest.raises(DatasetError, match=r"could not be written .*No space left.* free space"),
        durable_file(tmp_path / "file"),
    ):
        raise OSError(28, "No space left on device")


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="cannot be written to"), durable_file(tmp_path / "file" / "below"):
        pass


def test_losing_the_race_to_another_writer_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with durable_file(path) as temporary:
        path.write_text("theirs")
        remove_leftovers(path)
        assert not temporary.exists()
    assert path.read_text() == "theirs"


def test_losing_the_temporary_without_another_writer_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(DatasetError, match="could not be written"),
        durable_file(tmp_path / "file") as temporary,
    ):
        temporary.unlink()


def test_leftovers_of_other_files_stay(tmp_path: Path) -> None:
    other = tmp_path / ".other.abc.tmp"
    other.write_text("at work")
    remove_leftovers(tmp_path / "file")
    assert other.exists()


def test_checked_json_gives_back_what_was_written(tmp_path: Path) -> None:
    content = {"b": [1, 2.5], "a": {"text": "x"}}
    write_checked_json(tmp_path / "file.json", content)
    assert read_checked_json(tmp_path / "file.json") == content


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[" * 100_000, '{"content": [], "sha256": ""}', '{"content": {}, "sha256": "0"}']
)
def test_what_is_no_checked_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "file.json").write_text(text)
    with pytest.raises(DatasetError, match=r"file\.json is damaged .* delete it"):
        read_checked_json(tmp_path / "file.json")


def test_json_of_absurd_size_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "file.json").touch()
    os.truncate(tmp_path / "file.json", 1 << 31)
    with pytest.raises(DatasetError, match="larger than any"):
        read_checked_json(tmp_path / "file.json")


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of(tmp_path / "file") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_space_more_is_damage_too(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_checked_json(path, {"a": 1})
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(DatasetError, match="damaged"):
        read_checked_json(path)


def test_strays_of_files_that_are_there_are_removed_and_no_others(tmp_path: Path) -> None:
    names = (".there.a.abcd1234.tmp", ".absent.a.abcd1234.tmp", ".there.tmp", "there.a.tmp", ".tmp")
    for name in ("there.a", "there", *names):
        (tmp_path / name).write_text("half")
    remove_strays(tmp_path)
    remove_strays(tmp_path / "nowhere")
    assert {path.name for path in tmp_path.iterdir()} == {"there.a", "there", *names[1:]}
