"""What a driver that lost its points may still write: nothing that counts."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from saih.domain.batch import Holder
from saih.domain.errors import Superseded
from saih.domain.point import Point
from saih.domain.record import AttemptResult, Environment, Outcome
from saih.store.batch_folder import BatchFolder, read_holder, write_holder
from saih.store.fence import Fence, is_held
from saih.store.point_state import PointStatus
from saih.store.sweep_folder import (
    SweepFolder,
    attempts_of,
    begin_attempt,
    finish,
    point_states,
    read_records,
)

MakePoint = Callable[[int], Point]
FIRST = Holder(
    token="one", job_id="17", host="n1", process=5, since_utc="2026-01-01T00:00:00+00:00", num_idle_restarts=0
)
SECOND = replace(FIRST, token="two", job_id="18", host="n2")


@pytest.fixture
def batch(folder: SweepFolder) -> BatchFolder:
    found = BatchFolder(sweep=folder, number=1)
    found.path.mkdir(parents=True)
    return found


def fence_of(batch: BatchFolder, holder: Holder) -> Fence:
    return Fence(holder_path=str(batch.holder_path), token=holder.token)


def test_a_zombie_that_finishes_late_is_kept_and_counts_for_nothing(
    batch: BatchFolder, make_point: MakePoint, environment: Environment, completed: AttemptResult
) -> None:
    point = make_point(1)
    write_holder(batch, FIRST)
    zombie = begin_attempt(batch.sweep, point, environment, fence_of(batch, FIRST))
    write_holder(batch, SECOND)
    late = begin_attempt(batch.sweep, point, environment, fence_of(batch, SECOND))
    with pytest.raises(Superseded, match="batch-1 was taken over by job 18 on n2"):
        finish(zombie, completed, fence_of(batch, FIRST))
    assert point_states(batch.sweep, [point.point_id])[point.point_id].status is PointStatus.PENDING
    finish(late, completed, fence_of(batch, SECOND))
    records, damages = read_records(batch.sweep)
    assert [record.attempt for record in records] == [2]
    assert not damages
    assert (zombie.path / "superseded.json").is_file()
    with pytest.raises(Superseded):  # however often it tries
        finish(zombie, completed, fence_of(batch, FIRST))


def test_a_zombie_begins_nothing(batch: BatchFolder, make_point: MakePoint, environment: Environment) -> None:
    write_holder(batch, SECOND)
    with pytest.raises(Superseded):
        begin_attempt(batch.sweep, make_point(1), environment, fence_of(batch, FIRST))
    assert attempts_of(batch.sweep, make_point(1).point_id) == ()


def test_failures_are_fenced_too(
    batch: BatchFolder,
    make_point: MakePoint,
    environment: Environment,
    make_failure: Callable[[Outcome], AttemptResult],
) -> None:
    write_holder(batch, FIRST)
    attempt = begin_attempt(batch.sweep, make_point(1), environment, fence_of(batch, FIRST))
    write_holder(batch, SECOND)
    with pytest.raises(Superseded):
        finish(attempt, make_failure(Outcome.FAILED), fence_of(batch, FIRST))
    assert read_records(batch.sweep) == ((), ())


def test_a_holder_that_cannot_be_read_leaves_the_points_held(batch: BatchFolder) -> None:
    assert is_held(batch.holder_path, "one")
    batch.holder_path.write_bytes(b"{")
    assert is_held(batch.holder_path, "one")
    write_holder(batch, FIRST)
    assert is_held(batch.holder_path, "one")
    assert not is_held(batch.holder_path, "two")
    assert read_holder(batch) == FIRST


def test_without_a_fence_everything_is_published() -> None:
    assert Fence().is_open
