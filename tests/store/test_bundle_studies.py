"""Bundles carry what studies found, with names replaced where asked, and refuse what was exchanged."""

from dataclasses import replace
from pathlib import Path

import pytest
from bundle_samples import bundled, environment, points_of, write_sample
from study_samples import search, validation

from saih.commands.analysis import analysis_of
from saih.commands.import_stage import import_file
from saih.domain.errors import DamagedData
from saih.domain.study import subject_id_of
from saih.store.study_file import read_studies, write_search, write_validation
from saih.store.sweep_folder import SweepFolder

STATEMENT = "/home/somebody/data/a.h5 is damaged"


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    """A sample sweep, of which two problems and the search were studied, and one elsewhere."""
    found = write_sample(tmp_path)
    here = environment().environment_id
    first, second, third, *_ = [subject_id_of(point) for point in points_of("tiny")]
    known = replace(validation(first, "pppppfppp"), environment_id=here)
    gates = (*known.findings.gates[:-1], replace(known.findings.gates[-1], statement=STATEMENT))
    write_validation(found, replace(known, findings=replace(known.findings, gates=gates)))
    write_validation(found, replace(validation(second), environment_id=here))
    write_validation(found, replace(validation(third), environment_id="f" * 16))
    write_search(found, replace(search(), environment_id=here))
    return found


@pytest.mark.parametrize("names", ["kept", "replaced"])
def test_what_was_studied_is_known_where_a_bundle_is_imported(
    folder: SweepFolder, tmp_path: Path, names: str
) -> None:
    path = bundled(folder, tmp_path / "tiny.saih.zip", is_anonymised=names == "replaced")
    there = import_file(path, tmp_path / "there", None, is_dry=False).folder
    studies, refused = read_studies(there)
    assert refused == ()
    ids = [subject_id_of(point) for point in points_of("tiny")]
    assert set(studies.validations) == set(ids[:2])  # nobody there knows the third one's machine
    assert studies.search is not None
    assert studies.search.frontier.rungs == search().frontier.rungs
    told = studies.validations[ids[0]].findings.gates[-1].statement
    assert ("somebody" in told) is (names == "kept")
    analysis, damages = analysis_of(there, tmp_path)
    assert damages == ()
    assert [point.validation is not None for point in analysis.points].count(True) == 2


def test_a_study_under_the_name_of_another_is_not_bundled(folder: SweepFolder, tmp_path: Path) -> None:
    first, _, _, last = [subject_id_of(point) for point in points_of("tiny")]
    studies = folder.path / "studies"
    (studies / f"{last}.json").write_bytes((studies / f"{first}.json").read_bytes())
    with pytest.raises(DamagedData, match=first):
        bundled(folder, tmp_path / "tiny.saih.zip")
