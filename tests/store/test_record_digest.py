import os
from collections.abc import Callable
from pathlib import Path

import pytest

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.point import Point
from saih.domain.record import AttemptResult, Environment, Outcome
from saih.store.attempt import Attempt
from saih.store.ceilings_file import write_ceilings
from saih.store.record_digest import ceilings_digests, record_digests
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish


@pytest.fixture
def attempt(
    folder: SweepFolder,
    make_point: Callable[[int], Point],
    environment: Environment,
    completed: AttemptResult,
) -> Attempt:
    begun = begin_attempt(folder, make_point(1), environment)
    finish(begun, completed)
    return begun


def test_every_finished_attempt_has_a_digest_and_no_other(
    folder: SweepFolder,
    attempt: Attempt,
    make_point: Callable[[int], Point],
    environment: Environment,
    make_failure: Callable[[Outcome], AttemptResult],
) -> None:
    failed = begin_attempt(folder, make_point(2), environment)
    finish(failed, make_failure(Outcome.FAILED))
    begin_attempt(folder, make_point(3), environment)
    digests = record_digests(folder)
    assert set(digests) == {f"{one.point_id}/attempt-1" for one in (attempt, failed)}
    assert all(len(digest) == 64 for digest in digests.values())
    assert record_digests(folder) == digests


@pytest.mark.parametrize("name", ["point.json", "environment.json", "steps.h5", "outcome.json"])
def test_every_bit_of_every_file_counts(folder: SweepFolder, attempt: Attempt, name: str) -> None:
    before = record_digests(folder)
    path = attempt.path / name
    whole = path.read_bytes()
    for place in range(0, len(whole), max(len(whole) // 50, 1)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert record_digests(folder) != before
    path.write_bytes(whole)
    assert record_digests(folder) == before


def test_a_byte_that_moves_from_one_file_to_the_next_is_seen(folder: SweepFolder, attempt: Attempt) -> None:
    before = record_digests(folder)
    steps, outcome = attempt.path / "steps.h5", attempt.path / "outcome.json"
    whole = steps.read_bytes()
    steps.write_bytes(whole[:-1])
    outcome.write_bytes(whole[-1:] + outcome.read_bytes())
    assert record_digests(folder) != before


@pytest.mark.parametrize("change", ["missing", "link", "pipe"])
def test_a_file_that_cannot_be_read_changes_the_digest(
    folder: SweepFolder, attempt: Attempt, change: str
) -> None:
    before = record_digests(folder)
    path = attempt.path / "steps.h5"
    path.rename(path.with_suffix(".away"))
    if change == "link":
        path.symlink_to(path.with_suffix(".away"))
    elif change == "pipe":
        os.mkfifo(path)
    assert set(record_digests(folder)) == set(before)
    assert record_digests(folder) != before


def test_ceilings_have_a_digest_where_they_are(tmp_path: Path) -> None:
    rate = Interval(low=0.9, value=1.0, high=1.1, level=0.95, count=5)
    curve = Ceiling(
        kind=CeilingKind.MEMORY, precision="", unit="B/s", size_unit="B", sizes=(1.0,), rates=(rate,)
    )
    ceilings = Ceilings(
        environment_id="e" * 16,
        placement_label="1 node",
        curves=(curve,),
        measured_utc="2026-01-01T00:00:00Z",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )
    assert ceilings_digests(tmp_path, [ceilings]) == {}
    path = write_ceilings(tmp_path, ceilings)
    before = ceilings_digests(tmp_path, [ceilings])
    assert list(before) == [path.relative_to(tmp_path).as_posix()]
    path.write_bytes(path.read_bytes().replace(b"1.1", b"1.2", 1))
    assert ceilings_digests(tmp_path, [ceilings]) != before
