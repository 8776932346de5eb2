"""What studies find is kept whole or not at all, and never in the place of another problem."""

from dataclasses import replace
from pathlib import Path

import pytest
from study_samples import findings, search, validation

from saih.domain.batch import Holder
from saih.domain.errors import DamagedData, Superseded
from saih.domain.study import Findings, StudyPlan
from saih.store.document import render
from saih.store.fence import Fence
from saih.store.study_file import (
    make_work_folder,
    read_search,
    read_studies,
    read_validation,
    remove_work_folder,
    write_search,
    write_validation,
)
from saih.store.sweep_folder import SweepFolder

ID = "0123456789abcdef"


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return SweepFolder(tmp_path, "studied")


def test_what_is_written_is_read_again(folder: SweepFolder) -> None:
    assert read_validation(folder, ID) is None
    assert read_search(folder) is None
    assert read_studies(folder)[0].validations == {}
    write_validation(folder, validation(ID))
    write_search(folder, search())
    studies, refused = read_studies(folder)
    assert studies.validations == {ID: validation(ID)}
    assert studies.search == search()
    assert refused == ()
    later = replace(validation(ID), finished_utc="2026-11-22T00:00:00+00:00")
    write_validation(folder, later)
    assert read_validation(folder, ID) == later


@pytest.mark.parametrize("name", [f"{ID}.json", "frontier.json"])
def test_every_changed_byte_is_found_and_the_others_are_still_read(folder: SweepFolder, name: str) -> None:
    write_validation(folder, validation(ID))
    write_search(folder, search())
    path = folder.path / "studies" / name
    whole = path.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        studies, (refused,) = read_studies(folder)
        assert (ID in studies.validations) is (name == "frontier.json")
        assert (studies.search is None) is (name == "frontier.json")
        assert name in refused.problem
        assert "saih validate" in refused.remedy or "saih search" in refused.remedy
    path.write_bytes(whole)
    assert read_studies(folder)[1] == ()


def test_the_study_of_another_problem_is_refused(folder: SweepFolder) -> None:
    write_validation(folder, validation(ID))
    other = "f" * 16
    (folder.path / "studies" / f"{ID}.json").rename(folder.path / "studies" / f"{other}.json")
    with pytest.raises(DamagedData, match=ID):
        read_validation(folder, other)


def test_whoever_lost_the_points_keeps_nothing(folder: SweepFolder, tmp_path: Path) -> None:
    holder = Holder(
        job_id="7",
        host="n2",
        since_utc="2026-11-21T00:00:00+00:00",
        token="theirs",
        process=9,
        num_idle_restarts=0,
    )
    path = tmp_path / "holder.json"
    path.write_bytes(render("saih holder", holder))
    with pytest.raises(Superseded):
        write_validation(folder, validation(ID), Fence(holder_path=str(path), token="mine"))
    assert read_validation(folder, ID) is None


def test_work_of_a_killed_study_stays_until_it_is_finished(folder: SweepFolder) -> None:
    path = make_work_folder(folder, ID)
    (path / "half").write_text("half")
    assert (make_work_folder(folder, ID) / "half").read_text() == "half"
    assert read_studies(folder)[0].validations == {}
    remove_work_folder(folder, ID)
    remove_work_folder(folder, ID)
    assert not path.exists()


@pytest.mark.parametrize(
    ("verdicts", "itself", "twin"),
    [
        ("ppppppppp", "passed", "passed"),
        ("pppppfppp", "failed", "passed"),
        ("fpppppppp", "failed", "failed"),
        ("pppnppppp", "not run", "not run"),
        ("pnpppnppp", "passed", "passed"),
    ],
)
def test_of_a_twin_only_the_required_gates_decide(verdicts: str, itself: str, twin: str) -> None:
    found = findings(verdicts)
    assert found.verdict == itself
    assert replace(found, is_twin=True).verdict == twin


def test_values_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="budget"):
        StudyPlan(budget_s=0)
    gates = validation(ID).findings.gates
    with pytest.raises(ValueError, match="do not name"):
        Findings(subject="x", is_twin=False, required=("G9",), gates=gates)
    with pytest.raises(ValueError, match="do not name"):
        Findings(subject="x", is_twin=False, required=(), gates=(gates[0], gates[0]))
    with pytest.raises(ValueError, match="seeds"):
        replace(search().frontier.rungs[0], seeds=(1,))
    with pytest.raises(ValueError, match="without a model"):
        replace(search().frontier, rungs=())
