"""Windows of a point are kept whole beside its record, or not at all; bundles carry them."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from bundle_samples import bundled, environment, points_of, write_sample

from saih.commands.analysis import analysis_of
from saih.commands.import_stage import import_file
from saih.domain.errors import DamagedData
from saih.domain.verification import (
    FULL,
    CpuContention,
    Intervention,
    Pair,
    Toggle,
    ToggleRun,
    Trial,
)
from saih.launch.verify_work import untried
from saih.store.attempt import Attempt
from saih.store.bundle_origin import read_origin
from saih.store.structure import from_json
from saih.store.sweep_folder import SweepFolder, read_records
from saih.store.verification_file import (
    VERIFICATION,
    completed_attempt,
    is_tried,
    read_trial,
    read_trials,
    write_trial,
)


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return write_sample(tmp_path)


def attempt_at(folder: SweepFolder, index: int) -> Attempt:
    found = completed_attempt(folder, points_of("tiny")[index].point_id)
    assert found is not None
    return found


def trial_of(attempt: Attempt, environment_id: str) -> Trial:
    pair = Pair(off_ns=(2_000_000,) * 12, on_ns=(2_000_001,) * 12, is_on_first=True)
    sham = ToggleRun(toggle=Toggle(intervention=Intervention.SHAM), pairs=(pair,) * 7)
    return Trial(
        record_id=f"{attempt.point_id}/attempt-{attempt.number}",
        environment_id=environment_id,
        plan=FULL,
        seed=5,
        runs=(sham,),
        off_phases_ns={},
        contention=CpuContention(cpu_some=0.1),
        finished_utc="2026-01-02T00:00:00+00:00",
    )


@pytest.fixture
def tried(folder: SweepFolder) -> tuple[Attempt, Trial]:
    attempt = attempt_at(folder, 1)
    trial = trial_of(attempt, environment().environment_id)
    write_trial(attempt, trial)
    return attempt, trial


def test_the_attempt_that_completed_is_the_one_that_counts(folder: SweepFolder) -> None:
    assert [attempt_at(folder, index).number for index in (0, 1, 3)] == [1, 2, 1]
    assert completed_attempt(folder, points_of("tiny")[2].point_id) is None


def test_what_is_kept_is_read_back_and_nothing_else_changes(
    folder: SweepFolder, tried: tuple[Attempt, Trial]
) -> None:
    attempt, trial = tried
    assert read_trial(attempt) == trial
    records, damages = read_records(folder)
    assert damages == ()
    assert read_trials(folder, records) == ({trial.record_id: trial}, ())
    assert [point.point_id for point in untried(folder, points_of("tiny"))] == [
        points_of("tiny")[index].point_id for index in (0, 3)
    ]


def test_a_trial_from_before_others_were_told_apart_is_read() -> None:
    assert from_json(CpuContention, {"cpu_some": 0.1, "sigma": None}) == CpuContention(cpu_some=0.1)


def test_points_are_tried_again_when_asked_to(folder: SweepFolder, tried: tuple[Attempt, Trial]) -> None:
    attempt, trial = tried
    assert is_tried(attempt)
    assert not is_tried(attempt, "2026-01-03T00:00:00+00:00")
    assert len(untried(folder, points_of("tiny"), "2026-01-03T00:00:00+00:00")) == 3
    write_trial(attempt, replace(trial, seed=6))
    assert read_trial(attempt) == replace(trial, seed=6)


def test_damage_is_named_and_left_out_and_counts_as_not_tried(
    folder: SweepFolder, tried: tuple[Attempt, Trial], tmp_path: Path
) -> None:
    attempt, _ = tried
    path = attempt.path / VERIFICATION
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DamagedData, match="saih verify"):
        read_trial(attempt)
    assert not is_tried(attempt)
    analysis, damages = analysis_of(folder, tmp_path)
    assert len(damages) == 1
    assert VERIFICATION in damages[0]
    assert len(analysis.points) == 3
    assert all(not point.verifications for point in analysis.points)


def test_windows_of_another_record_or_environment_are_refused(folder: SweepFolder) -> None:
    attempt, other = attempt_at(folder, 1), attempt_at(folder, 3)
    with pytest.raises(ValueError, match="does not belong"):
        write_trial(attempt, trial_of(other, "e"))
    write_trial(attempt, trial_of(attempt, "e" * 16))
    records, _ = read_records(folder)
    found, refused = read_trials(folder, records)
    assert found == {}
    assert "environment" in refused[0].problem


def test_an_analysis_shows_what_was_put_to_the_test(
    folder: SweepFolder, tried: tuple[Attempt, Trial], tmp_path: Path
) -> None:
    analysis, damages = analysis_of(folder, tmp_path)
    assert damages == ()
    shown = {point.record_id: point.verifications for point in analysis.points if point.verifications}
    assert list(shown) == [tried[1].record_id]
    assert shown[tried[1].record_id][0].status == "undecided"


@pytest.mark.parametrize("is_anonymised", [False, True])
def test_bundles_carry_the_windows_to_where_they_are_imported(
    folder: SweepFolder, tried: tuple[Attempt, Trial], tmp_path: Path, *, is_anonymised: bool
) -> None:
    path = bundled(folder, tmp_path / "tiny.saih.zip", is_anonymised=is_anonymised)
    there = import_file(path, tmp_path / "there", None, is_dry=False).folder
    assert read_origin(there) is not None
    records, _ = read_records(there)
    found, refused = read_trials(there, records)
    assert refused == ()
    assert [trial.runs for trial in found.values()] == [tried[1].runs]
    environments = {record.environment.environment_id for record in records}
    assert {trial.environment_id for trial in found.values()} <= environments
    ours, theirs = (analysis_of(one, tmp_path)[0].points for one in (folder, there))
    assert [point.verifications for point in theirs] == [point.verifications for point in ours]


def test_a_bundle_with_windows_of_another_record_is_refused(
    folder: SweepFolder, tried: tuple[Attempt, Trial], tmp_path: Path
) -> None:
    attempt, trial = tried
    whole = bundled(folder, tmp_path / "tiny.saih.zip")
    with zipfile.ZipFile(whole) as opened:
        assert [name for name in opened.namelist() if name.endswith(VERIFICATION)] == [
            f"points/{trial.record_id}/{VERIFICATION}"
        ]
    other = attempt_at(folder, 3)
    (other.path / VERIFICATION).write_bytes((attempt.path / VERIFICATION).read_bytes())
    with pytest.raises(DamagedData, match="verification of"):
        bundled(folder, tmp_path / "again.saih.zip")
