"""Outcomes of searches: kept whole, found again, refused when they are not what was written."""

from dataclasses import replace
from pathlib import Path

import pytest
from tuning_samples import FASTEST, tuned

from augment.problem import Problem, Shape
from saih.domain.errors import DamagedData, UsageError
from saih.domain.point import Placement, Point, Timing
from saih.domain.tuning import TuningPlan, execution_notes, execution_of, search_notes, tuned_id_of
from saih.store.sweep_folder import SweepFolder
from saih.store.tuned_file import kindred, read_tuned, tuned_path, write_tuned
from workloads.execution import PLAIN, REFERENCE, TUNED, TUNED_AT_PRECISION, settled

HERE, OTHER = "0123456789abcdef", "fedcba9876543210"


def point(resolution: int = 16, batch: int = 2) -> Point:
    return Point(
        workload="cosmoflow",
        problem=Problem(data=Shape.of(resolution=resolution), model=Shape.of(width=4)),
        batch_per_rank=batch,
        precision="float32",
        exchange="none",
        placement=Placement(),
        timing=Timing(),
        seed=1,
        execution=TUNED,
    )


def test_what_was_written_is_found_by_all_that_ask_the_same(tmp_path: Path) -> None:
    found = tuned(point(), HERE)
    write_tuned(tmp_path, found)
    assert read_tuned(tmp_path, HERE, point()) == found
    same = replace(point(), seed=9, timing=Timing(budget_s=3.0))
    assert read_tuned(tmp_path, HERE, same) == found
    for other in (point(batch=4), point(32), replace(point(), execution=TUNED_AT_PRECISION)):
        assert read_tuned(tmp_path, HERE, other) is None
    assert read_tuned(tmp_path, OTHER, point()) is None


def test_the_last_outcome_for_another_problem_on_the_same_ranks_is_kindred(tmp_path: Path) -> None:
    early, late = tuned(point(8), HERE), tuned(point(32), HERE)
    write_tuned(tmp_path, replace(late, finished_utc="2026-11-22T00:00:00+00:00"))
    write_tuned(tmp_path, early)
    write_tuned(tmp_path, tuned(point(16), HERE))
    nearest = kindred(tmp_path, HERE, point(16))
    assert nearest is not None
    assert nearest.point == point(32)
    assert kindred(tmp_path, HERE, replace(point(16), placement=Placement(threads_per_rank=2))) is None
    assert kindred(tmp_path, OTHER, point(16)) is None


def test_a_changed_or_misplaced_file_is_refused(tmp_path: Path) -> None:
    path = write_tuned(tmp_path, tuned(point(), HERE))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"bfloat16", b"float16 ", 1))
    with pytest.raises(DamagedData, match="checksum"):
        read_tuned(tmp_path, HERE, point())
    elsewhere = tuned_path(tmp_path, OTHER, tuned_id_of(point()))
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(whole)
    with pytest.raises(DamagedData, match="another point or environment"):
        read_tuned(tmp_path, OTHER, point())


def test_no_sweep_takes_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="executions"):
        SweepFolder(tmp_path, "executions")


def test_what_is_known_answers_only_what_was_asked_for() -> None:
    found = tuned(point(), HERE)
    assert found.answers(TuningPlan(budget_s=1, has_yardsticks=True, batches=(2,)))
    assert not found.answers(TuningPlan(budget_s=1, batches=(2, 4)))
    assert not found.answers(TuningPlan(budget_s=1, since_utc="2026-11-22T00:00:00+00:00"))
    assert not replace(found, has_yardsticks=False).answers(TuningPlan(budget_s=1, has_yardsticks=True))


def test_notes_of_a_record_tell_how_it_was_executed() -> None:
    asked, found = point(), tuned(point(), HERE)
    notes = execution_notes(asked, found.execution) | search_notes(found, is_reused=True)
    assert execution_of(asked, notes) == FASTEST
    assert '"is_reused": true' in notes["execution_search"]
    with pytest.raises(ValueError, match="do not tell"):
        execution_of(asked, {})
    plain, reference = replace(asked, execution=PLAIN), replace(asked, execution=REFERENCE)
    assert execution_notes(plain, settled(PLAIN, "float32")) == {}
    assert execution_of(plain, {}) == settled(PLAIN, "float32")
    assert execution_of(reference, {}) == REFERENCE
