"""The cache of states never hides a change, and nobody misses it when it is gone."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from saih.domain.point import Point
from saih.domain.record import AttemptResult, Environment, Outcome
from saih.store import state_index
from saih.store.files import remove_temporaries
from saih.store.point_state import PointStatus
from saih.store.retry import set_failures_aside
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish, point_digests, point_states

NUM_POINTS = 5
MakeFailure = Callable[[Outcome], AttemptResult]


@pytest.fixture(autouse=True)
def _few_points_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_index, "FEWEST", 2)
    monkeypatch.setattr(state_index, "_SETTLED_NS", 20_000_000)


@pytest.fixture
def ids(
    folder: SweepFolder,
    make_point: Callable[[int], Point],
    environment: Environment,
    completed: AttemptResult,
    make_failure: MakeFailure,
) -> list[str]:
    """Completed points, a failed one and a lost one, listed once so that the cache knows them."""
    results = [completed] * (NUM_POINTS - 2) + [make_failure(Outcome.FAILED), make_failure(Outcome.LOST)]
    points = [make_point(seed) for seed in range(NUM_POINTS)]
    for point, result in zip(points, results, strict=True):
        finish(begin_attempt(folder, point, environment), result)
    found = [point.point_id for point in points]
    time.sleep(0.05)
    point_states(folder, found)
    assert (folder.path / state_index.NAME).is_file()
    return found


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are opened from here on."""
    paths: list[str] = []
    true_open = os.open

    def noting(path: os.PathLike[str] | str, *arguments: int, **options: int) -> int:
        paths.append(os.fspath(path))
        return true_open(path, *arguments, **options)

    monkeypatch.setattr(os, "open", noting)
    return paths


def test_what_the_cache_knows_is_told_without_opening_a_file_of_an_attempt(
    folder: SweepFolder, ids: list[str], opened: list[str]
) -> None:
    states = point_states(folder, ids)
    assert [states[point_id].status for point_id in ids] == [
        *[PointStatus.COMPLETED] * (NUM_POINTS - 2),
        PointStatus.FAILED,
        PointStatus.PENDING,
    ]
    assert opened == [str(folder.path / state_index.NAME)]


def test_the_cache_says_exactly_what_the_files_say(folder: SweepFolder, ids: list[str]) -> None:
    cached = point_digests(folder, ids)
    (folder.path / state_index.NAME).unlink()
    assert point_digests(folder, ids) == cached
    assert cached[ids[0]].finished == ((1, "completed", "e" * 16),)


@pytest.mark.parametrize("name", ["point.json", "environment.json", "steps.h5", "outcome.json"])
def test_a_byte_that_changed_in_any_file_is_found_even_where_its_time_was_set_back(
    folder: SweepFolder, ids: list[str], name: str
) -> None:
    path = folder.path / ids[0] / "attempt-1" / name
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert point_states(folder, ids)[ids[0]].status is PointStatus.DAMAGED


@pytest.mark.parametrize("name", ["point.json", "environment.json", "steps.h5", "outcome.json"])
def test_a_missing_file_is_missed(folder: SweepFolder, ids: list[str], name: str) -> None:
    (folder.path / ids[0] / "attempt-1" / name).unlink()
    assert point_states(folder, ids)[ids[0]].is_to_be_measured


def test_later_attempts_and_failures_set_aside_are_seen(
    folder: SweepFolder,
    ids: list[str],
    make_point: Callable[[int], Point],
    environment: Environment,
    completed: AttemptResult,
) -> None:
    assert set_failures_aside(folder, ids[-2:-1]) == 1
    attempt = begin_attempt(folder, make_point(NUM_POINTS - 1), environment)
    states = point_states(folder, ids)
    assert states[ids[-2]].status is PointStatus.PENDING
    assert (states[ids[-1]].status, states[ids[-1]].num_attempts) == (PointStatus.PENDING, 2)
    finish(attempt, completed)
    assert point_states(folder, ids)[ids[-1]].status is PointStatus.COMPLETED


def test_an_attempt_that_ends_after_the_cache_knew_it_as_begun_is_seen(
    folder: SweepFolder,
    ids: list[str],
    make_point: Callable[[int], Point],
    environment: Environment,
    completed: AttemptResult,
) -> None:
    begun = [begin_attempt(folder, make_point(seed), environment) for seed in (100, 101)]
    names = [attempt.point_id for attempt in begun]
    time.sleep(0.05)
    assert point_states(folder, [*ids, *names])[names[0]].status is PointStatus.PENDING
    finish(begun[0], completed)
    states = point_states(folder, [*ids, *names])
    assert states[names[0]].status is PointStatus.COMPLETED
    assert states[names[1]].status is PointStatus.PENDING


def test_what_changed_just_now_is_not_cached(
    folder: SweepFolder,
    make_point: Callable[[int], Point],
    environment: Environment,
    completed: AttemptResult,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state_index, "_SETTLED_NS", 3600 * 10**9)
    points = [make_point(seed) for seed in range(3)]
    for point in points:
        finish(begin_attempt(folder, point, environment), completed)
    point_states(folder, [point.point_id for point in points])
    assert not (folder.path / state_index.NAME).exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"no newline",
        lambda data: data[:-1],
        lambda data: data.replace(b"completed", b"pending##"),
        lambda data: data.replace(b"saih states 2", b"saih states 3"),
    ],
    ids=["empty", "one line", "cut", "changed", "newer"],
)
def test_a_damaged_cache_is_passed_over(
    folder: SweepFolder, ids: list[str], damage: Callable[[bytes], bytes]
) -> None:
    path = folder.path / state_index.NAME
    path.write_bytes(damage(path.read_bytes()))
    assert point_states(folder, ids)[ids[0]].status is PointStatus.COMPLETED


def test_a_copy_of_the_sweep_is_verified_anew(tmp_path: Path, folder: SweepFolder, ids: list[str]) -> None:
    copy = SweepFolder(tmp_path / "copy", folder.name)
    copy.root.mkdir()
    folder.path.rename(copy.path)
    (copy.path / ids[0] / "attempt-1" / "steps.h5").write_bytes(b"")
    assert point_states(copy, ids)[ids[0]].status is PointStatus.DAMAGED


def test_listing_a_folder_that_cannot_be_written_works_and_leaves_nothing(
    folder: SweepFolder, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.path / state_index.NAME).unlink()

    def refuse(path: Path, data: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(state_index, "write_file", refuse)
    monkeypatch.setattr(state_index, "clock_ns", lambda folder: 2**62)
    assert point_states(folder, ids)[ids[0]].status is PointStatus.COMPLETED
    assert remove_temporaries(folder.path) == 0
