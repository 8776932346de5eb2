"""One sweep's folder: definitions, attempts, records and states, as others see them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from saih.domain.errors import DamagedData, EnvironmentMissing, SaihError, UsageError
from saih.domain.job import Job
from saih.domain.point import Point
from saih.domain.record import AttemptResult, Environment, Outcome
from saih.store.environment_guard import require_same_environment
from saih.store.files import remove_temporaries
from saih.store.job_file import read_job, write_job
from saih.store.point_state import PointStatus
from saih.store.retry import set_failures_aside
from saih.store.sweep_folder import (
    SweepFolder,
    all_attempts,
    begin_attempt,
    finish,
    point_states,
    read_definition,
    read_records,
    record_definition,
    sweep_names,
)

MakePoint = Callable[[int], Point]
MakeFailure = Callable[[Outcome], AttemptResult]


def test_a_definition_is_kept_and_the_same_one_is_welcome_again(folder: SweepFolder) -> None:
    record_definition(folder, {"ladder": [1, 2], "seed": 3})
    record_definition(folder, {"seed": 3, "ladder": (1, 2)})
    assert read_definition(folder) == {"ladder": [1, 2], "seed": 3}
    assert sweep_names(folder.root) == ("growth",)


def test_a_changed_definition_is_refused_with_each_difference(folder: SweepFolder) -> None:
    record_definition(folder, {"base": {"width": 4}, "ladder": [1, 2], "seed": 3})
    with pytest.raises(UsageError) as caught:
        record_definition(folder, {"base": {"width": 8}, "ladder": [1], "note": "x", "seed": 3})
    assert caught.value.exit_code == 2
    for line in ("base.width: 4 -> 8", "ladder[1]: 2 -> (absent)", "note: (absent) -> 'x'"):
        assert line in caught.value.problem
    assert "seed" not in caught.value.problem
    assert "--name OTHER" in caught.value.remedy
    assert read_definition(folder)["seed"] == 3


def test_the_remedy_for_a_damaged_definition_keeps_every_measured_point(folder: SweepFolder) -> None:
    record_definition(folder, {"seed": 3})
    path = folder.path / "sweep.json"
    path.write_bytes(path.read_bytes().replace(b"3", b"4", 1))
    with pytest.raises(DamagedData) as caught:
        read_definition(folder)
    assert "delete this file alone (not its folder" in caught.value.remedy
    path.unlink()
    record_definition(folder, {"seed": 3})
    assert read_definition(folder) == {"seed": 3}


def test_a_type_that_changed_is_a_difference(folder: SweepFolder) -> None:
    record_definition(folder, {"seed": 1})
    with pytest.raises(UsageError, match="seed: 1 -> True"):
        record_definition(folder, {"seed": True})


def test_many_differences_are_counted_not_poured_out(folder: SweepFolder) -> None:
    record_definition(folder, {str(number): 0 for number in range(1000)})
    with pytest.raises(UsageError, match="and 980 more"):
        record_definition(folder, {str(number): 1 for number in range(1000)})


@pytest.mark.parametrize("name", ["", "ceilings", "../up", "a/b", ".hidden", "-rf", "a\nb", "a b", "x" * 101])
def test_names_that_are_no_safe_folder_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="a sweep cannot be called"):
        SweepFolder(tmp_path, name)


def test_an_absent_sweep_names_those_that_are_there(folder: SweepFolder) -> None:
    record_definition(folder, {})
    with pytest.raises(UsageError, match="sweeps there: growth"):
        read_definition(SweepFolder(folder.root, "other"))


def test_a_results_folder_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Not a directory") as caught:
        record_definition(SweepFolder(tmp_path / "file" / "results", "s"), {})
    assert str(tmp_path / "file") in caught.value.problem
    assert "name another one" in caught.value.remedy


def test_a_finished_attempt_is_a_record_with_everything(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, completed: AttemptResult
) -> None:
    finish(begin_attempt(folder, make_point(1), environment), completed)
    (record,), damages = read_records(folder)
    assert damages == ()
    assert (record.point, record.environment, record.result) == (make_point(1), environment, completed)
    assert record.record_id == f"{make_point(1).point_id}/attempt-1"


def test_files_are_for_their_owner_only(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, completed: AttemptResult
) -> None:
    attempt = begin_attempt(folder, make_point(1), environment)
    finish(attempt, completed)
    assert {path.stat().st_mode & 0o777 for path in attempt.path.iterdir()} == {0o600}
    assert attempt.path.stat().st_mode & 0o777 == 0o700


def test_an_attempt_without_outcome_was_interrupted_and_counts_for_nothing(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, completed: AttemptResult
) -> None:
    point = make_point(1)
    begin_attempt(folder, point, environment)
    state = point_states(folder, [point.point_id])[point.point_id]
    assert (state.status, state.num_attempts, state.num_lost) == (PointStatus.PENDING, 1, 0)
    finish(begin_attempt(folder, point, environment), completed)
    records, _ = read_records(folder)
    assert [record.attempt for record in records] == [2]


def test_the_first_completed_attempt_wins_and_stays_the_winner(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, completed: AttemptResult
) -> None:
    slow, fast = (begin_attempt(folder, make_point(1), environment) for _ in range(2))
    finish(fast, completed)
    finish(slow, completed)  # a rank that was thought dead wakes up
    records, damages = read_records(folder)
    assert [record.attempt for record in records] == [2]
    assert damages == ()


def test_a_second_outcome_of_one_attempt_is_refused(
    folder: SweepFolder,
    make_point: MakePoint,
    environment: Environment,
    completed: AttemptResult,
    make_failure: MakeFailure,
) -> None:
    attempt = begin_attempt(folder, make_point(1), environment)
    finish(attempt, make_failure(Outcome.LOST))
    with pytest.raises(SaihError, match="has an outcome already"):
        finish(attempt, completed)
    (record,), damages = read_records(folder)
    assert record.result.outcome is Outcome.LOST
    assert damages == ()


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.COMPLETED])
def test_failures_are_records_with_their_reason(
    folder: SweepFolder,
    make_point: MakePoint,
    environment: Environment,
    make_failure: MakeFailure,
    outcome: Outcome,
) -> None:
    point = make_point(1)
    finish(begin_attempt(folder, point, environment), make_failure(outcome))
    (record,), _ = read_records(folder)
    state = point_states(folder, [point.point_id])[point.point_id]
    assert record.result == make_failure(outcome)
    assert (state.outcome, state.reason) == (outcome, f"{outcome} as asked")
    assert state.is_to_be_measured is (outcome is Outcome.LOST)


def test_results_that_contradict_themselves_are_not_written(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, make_failure: MakeFailure
) -> None:
    attempt = begin_attempt(folder, make_point(1), environment)
    with pytest.raises(ValueError, match="makes no sense"):
        finish(attempt, make_failure(Outcome.COMPLETED))
    assert read_records(folder) == ((), ())


def test_failures_set_aside_are_pending_and_completed_points_stay(
    folder: SweepFolder,
    make_point: MakePoint,
    environment: Environment,
    completed: AttemptResult,
    make_failure: MakeFailure,
) -> None:
    points = [make_point(1), make_point(2)]
    finish(begin_attempt(folder, points[0], environment), completed)
    finish(begin_attempt(folder, points[1], environment), make_failure(Outcome.FAILED))
    ids = [point.point_id for point in points]
    assert set_failures_aside(folder, ids) == 1
    states = point_states(folder, ids)
    assert [states[point_id].status for point_id in ids] == [PointStatus.COMPLETED, PointStatus.PENDING]
    assert begin_attempt(folder, points[1], environment).number == 2


def test_records_of_another_environment_are_refused_with_the_facts_that_differ(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, completed: AttemptResult
) -> None:
    finish(begin_attempt(folder, make_point(1), environment), completed)
    require_same_environment(folder, environment)
    other = Environment(facts={"cpu_model": "Test 9000", "torch": "2.14"}, notes={}, environment_id="f" * 16)
    with pytest.raises(UsageError, match=r"torch: '2.13' -> '2.14'") as caught:
        require_same_environment(folder, other)
    assert "cpu_model" not in caught.value.problem
    assert "--name OTHER" in caught.value.remedy


def test_lost_and_interrupted_attempts_do_not_tie_a_sweep_to_an_environment(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, make_failure: MakeFailure
) -> None:
    finish(begin_attempt(folder, make_point(1), environment), make_failure(Outcome.LOST))
    begin_attempt(folder, make_point(2), environment)
    other = Environment(facts={}, notes={}, environment_id="f" * 16)
    require_same_environment(folder, other)
    assert len(list(all_attempts(folder))) == 2


def test_stray_files_are_ignored_and_cut_writes_are_removed(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, completed: AttemptResult
) -> None:
    attempt = begin_attempt(folder, make_point(1), environment)
    finish(attempt, completed)
    (attempt.path / ".outcome.json.0badcafe.tmp").write_bytes(b"{")
    (attempt.path.parent / "attempt-x").mkdir()
    (folder.path / "notes.txt").write_text("mine")
    records, damages = read_records(folder)
    assert (len(records), damages) == (1, ())
    assert remove_temporaries(folder.path) == 1
    assert (folder.path / "notes.txt").exists()


def test_pipes_and_links_in_place_of_files_are_damage_and_do_not_hang(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, completed: AttemptResult
) -> None:
    for seed, swap in ((1, os.mkfifo), (2, lambda path: path.symlink_to("/etc/passwd"))):
        attempt = begin_attempt(folder, make_point(seed), environment)
        finish(attempt, completed)
        (attempt.path / "outcome.json").unlink()
        swap(attempt.path / "outcome.json")
    records, damages = read_records(folder)
    assert records == ()
    assert sorted(damage.problem.rsplit(": ", 1)[1] for damage in damages) == [
        "it is a link.",
        "it is not a regular file.",
    ]


def test_an_attempt_put_in_the_place_of_another_is_damage(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, completed: AttemptResult
) -> None:
    attempt = begin_attempt(folder, make_point(1), environment)
    finish(attempt, completed)
    attempt.path.rename(attempt.path.with_name("attempt-7"))
    records, (damage,) = read_records(folder)
    assert records == ()
    assert "is the outcome of" in damage.problem


def test_jobs_are_numbered_and_come_back(folder: SweepFolder, make_point: MakePoint) -> None:
    point = make_point(1)
    job = Job(
        task="measure",
        sweep_name=folder.name,
        results_folder=str(folder.root),
        data_folder="data",
        placement=point.placement,
        points=(point,),
    )
    paths = [write_job(folder, job) for _ in range(3)]
    assert [path.name for path in paths] == ["job-1.json", "job-2.json", "job-3.json"]
    assert read_job(paths[2]) == job
    with pytest.raises(EnvironmentMissing, match="no job file"):
        read_job(folder.path / "jobs" / "job-9.json")


def test_a_point_is_listed_without_looking_at_any_other(
    folder: SweepFolder, make_point: MakePoint, environment: Environment, make_failure: MakeFailure
) -> None:
    """Listing all points is then linear in their number: no other folder may even be readable."""
    point = make_point(1)
    finish(begin_attempt(folder, point, environment), make_failure(Outcome.FAILED))
    (folder.path / "0123456789abcdef").symlink_to("0123456789abcdef")  # a loop: to read it is an error
    states = point_states(folder, [point.point_id])
    assert states[point.point_id].status is PointStatus.FAILED
