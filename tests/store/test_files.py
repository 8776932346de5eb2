"""Files that are whole or absent, on file systems of every kind."""

import errno
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from saih.domain.errors import DamagedData
from saih.store import files


def refusing(number: int, *, calls_first: Any = None) -> Any:
    def refuse(*arguments: Any, **options: Any) -> None:
        if calls_first:
            calls_first(*arguments, **options)
        raise OSError(number, os.strerror(number))

    return refuse


def test_the_first_publication_wins(tmp_path: Path) -> None:
    path = tmp_path / "outcome.json"
    assert files.publish_file(path, b"first")
    assert not files.publish_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK])
def test_a_file_system_without_hard_links_publishes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "link", refusing(number))
    path = tmp_path / "outcome.json"
    assert files.publish_file(path, b"first")
    assert not files.publish_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_that_reports_its_own_success_as_a_collision_is_a_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refusing(errno.EEXIST, calls_first=os.link))
    assert files.publish_file(tmp_path / "outcome.json", b"first")
    assert (tmp_path / "outcome.json").read_bytes() == b"first"


def test_any_other_failure_to_publish_is_raised_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refusing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        files.publish_file(tmp_path / "outcome.json", b"first")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "is_tolerated"), [(errno.EINVAL, True), (errno.EIO, False)])
def test_a_folder_that_cannot_be_synced_is_tolerated_only_where_none_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, is_tolerated: bool
) -> None:
    monkeypatch.setattr(os, "fsync", refusing(number))
    if is_tolerated:
        files.sync_folder(tmp_path)
    else:
        with pytest.raises(OSError, match="Input/output error"):
            files.sync_folder(tmp_path)


def test_a_failed_replacement_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ceilings.json"
    files.write_file(path, b"old")
    monkeypatch.setattr(os, "replace", refusing(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        files.write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_too_large_a_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "steps.h5"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DamagedData, match="has 1099511627776 bytes, more than 1024"):
        files.read_file(path, 1024)
    with pytest.raises(DamagedData, match="not a regular file"):
        files.read_file(tmp_path, 1024)


def test_reading_a_small_file_takes_little_memory_whatever_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"x" * 1000)
    tracemalloc.start()
    try:
        assert files.read_file(path, files.MAX_STEPS_BYTES) == b"x" * 1000
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()
