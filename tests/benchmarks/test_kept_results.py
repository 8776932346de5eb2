"""Results of long benchmarks survive what ends them."""

import os
from pathlib import Path

import pytest

from benchmarks.kept_results import Kept, NotKeptError, each_result


def squared_by(index: int) -> list[int]:
    return [index * index, os.getpid()]


def test_what_was_found_before_is_not_computed_again(tmp_path: Path) -> None:
    kept: Kept[int] = Kept(tmp_path / "kept", "squares")
    assert dict(each_result([1, 2], squared_by, kept)) == {1: [1, os.getpid()], 2: [4, os.getpid()]}
    again = dict(each_result([1, 2, 3], lambda index: [index], kept))
    assert again == {1: [1, os.getpid()], 2: [4, os.getpid()], 3: [3]}


def test_results_of_something_else_are_not_taken(tmp_path: Path) -> None:
    Kept[int](tmp_path / "kept", "squares").add(1, [1])
    assert Kept[int](tmp_path / "kept", "cubes").known() == {}
    assert Kept[int](tmp_path / "kept", "squares").known() == {1: [1]}


def test_a_line_that_a_kill_tore_is_found_again_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    kept: Kept[str] = Kept(path, "squares")
    kept.add("one", 1)
    kept.add("two", 4)
    path.write_bytes(path.read_bytes()[:-5])
    assert kept.known() == {"one": 1}
    kept.add("two", 4)
    assert kept.known() == {"one": 1, "two": 4}


def test_a_file_of_something_else_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are\nmy notes\n")
    with pytest.raises(NotKeptError, match="holds no results; name another file"):
        list(each_result([1], squared_by, Kept(path, "squares")))
    assert path.read_text() == "these are\nmy notes\n"


def test_other_processes_compute_beside_this_one(tmp_path: Path) -> None:
    kept: Kept[int] = Kept(tmp_path / "kept", "squares")
    found = dict(each_result(range(4), squared_by, kept, processes=2))
    assert {index: square for index, (square, _) in found.items()} == {0: 0, 1: 1, 2: 4, 3: 9}
    assert os.getpid() not in {process for _, process in found.values()}
    assert kept.known() == found
