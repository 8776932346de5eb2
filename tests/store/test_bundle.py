import json
import os
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from bundle_samples import bundled, ceilings, environment, files_in, points_of, verified, write_sample

from saih.commands.analysis import analysis_of
from saih.commands.import_stage import Imported, import_file
from saih.domain.adaptive import Adaptive, Asked
from saih.domain.bundle import Credit
from saih.domain.errors import DamagedData, UsageError
from saih.store.adaptive_file import write_adaptive
from saih.store.bundle_layout import CRATE, MANIFEST
from saih.store.bundle_origin import ceilings_root, read_origin
from saih.store.ceilings_file import read_ceilings, write_ceilings
from saih.store.sweep_folder import SweepFolder, all_attempts, read_records


@pytest.fixture
def folder(tmp_path: Path) -> SweepFolder:
    return write_sample(tmp_path)


@pytest.fixture
def path(folder: SweepFolder, tmp_path: Path) -> Path:
    return bundled(folder, tmp_path / "tiny.saih.zip")


def imported(path: Path, root: Path, name: str | None = None) -> Imported:
    return import_file(path, root, name, is_dry=False)


def test_the_same_records_give_the_same_bytes(folder: SweepFolder, path: Path, tmp_path: Path) -> None:
    os.utime(folder.path / "sweep.json", (0, 0))
    assert bundled(folder, tmp_path / "again.saih.zip").read_bytes() == path.read_bytes()


def test_any_zip_program_reads_a_bundle_with_plain_modes_and_no_time(path: Path) -> None:
    with zipfile.ZipFile(path) as bundle:
        assert bundle.testzip() is None
        assert bundle.namelist() == sorted(bundle.namelist())
        assert {one.external_attr >> 16 for one in bundle.infolist()} == {0o100644}
        assert {one.date_time for one in bundle.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {name: bundle.read(name) for name in bundle.namelist()} == files_in(path)


def test_sha256sum_alone_verifies_an_unpacked_bundle_and_gives_the_fingerprint(
    path: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(path) as bundle:
        bundle.extractall(tmp_path / "unpacked")
    command = ["sha256sum", "--check", "--quiet", "--strict", MANIFEST]
    assert subprocess.run(command, cwd=tmp_path / "unpacked", check=False).returncode == 0
    answer = subprocess.run(
        ["sha256sum", MANIFEST], cwd=tmp_path / "unpacked", check=True, capture_output=True, text=True
    )
    assert answer.stdout.split()[0] == verified(path).fingerprint


def test_only_files_of_the_allow_list_leave(folder: SweepFolder, path: Path, tmp_path: Path) -> None:
    (folder.path / "jobs").mkdir()
    (folder.path / "jobs" / "job-1.log").write_text("secret")
    (folder.path / "submissions" / "submission-1").mkdir(parents=True)
    (folder.path / "submissions" / "submission-1" / "script.sh").write_text("secret")
    attempt = next(all_attempts(folder))
    (attempt.path / "core").write_text("secret")
    assert bundled(folder, tmp_path / "b.saih.zip").read_bytes() == path.read_bytes()


def test_the_metadata_is_a_ro_crate_that_lists_every_file(folder: SweepFolder, tmp_path: Path) -> None:
    credit = Credit(license="CC-BY-4.0", author="Ada L.")
    path = bundled(folder, tmp_path / "c.saih.zip", credit=credit)
    files = files_in(path)
    document = json.loads(files[CRATE])
    assert document["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    nodes = {node["@id"]: node for node in document["@graph"]}
    assert len(nodes) == len(document["@graph"])
    assert nodes[CRATE]["about"] == {"@id": "./"}
    assert nodes[CRATE]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = nodes["./"]
    assert root["@type"] == "Dataset"
    assert root["datePublished"] == verified(path).about.last_finished_utc[:10]
    assert root["license"] == {"@id": "https://spdx.org/licenses/CC-BY-4.0"}
    assert nodes[root["author"]["@id"]]["name"] == "Ada L."
    assert {part["@id"] for part in root["hasPart"]} == files.keys() - {CRATE}
    listed = dict(line.split("  ")[::-1] for line in files[MANIFEST].decode().splitlines())
    for name in files.keys() - {CRATE, MANIFEST}:
        assert nodes[name]["contentSize"] == str(len(files[name]))
        assert nodes[name]["sha256"] == listed[name]
        assert "/" in nodes[name]["encodingFormat"]
    references = [
        value["@id"] for node in nodes.values() for value in node.values() if isinstance(value, dict)
    ]
    assert all(one in nodes or one.startswith("https://") for one in references)


def test_an_imported_sweep_reads_like_the_one_that_was_measured(
    folder: SweepFolder, path: Path, tmp_path: Path
) -> None:
    there = imported(path, tmp_path / "there").folder
    assert read_records(there) == read_records(folder)
    ours, theirs = (analysis_of(one, tmp_path) for one in (folder, there))
    assert theirs[1] == ()
    assert theirs[0].points == ours[0].points
    assert theirs[0].failed == ours[0].failed
    assert theirs[0].ceilings == ours[0].ceilings != ()
    assert verified(path).fingerprint in theirs[0].warnings[0]
    assert "unverified submission" in theirs[0].warnings[0]


def test_only_their_owner_reads_imported_files(path: Path, tmp_path: Path) -> None:
    there = imported(path, tmp_path / "there").folder
    for one in (there.path, *there.path.rglob("*")):
        assert stat.S_IMODE(one.stat().st_mode) == (0o700 if one.is_dir() else 0o600)
    assert [one.name for one in there.root.iterdir()] == ["tiny"]


def test_importing_twice_changes_nothing_and_says_so(path: Path, tmp_path: Path) -> None:
    first = imported(path, tmp_path / "there")
    before = {one: one.stat().st_mtime_ns for one in first.folder.path.rglob("*")}
    again = imported(path, tmp_path / "there")
    assert (first.state, again.state) == ("imported", "already imported")
    assert {one: one.stat().st_mtime_ns for one in first.folder.path.rglob("*")} == before


def test_verifying_only_writes_nothing(path: Path, tmp_path: Path) -> None:
    assert import_file(path, tmp_path / "there", None, is_dry=True).state == "verified"
    assert not (tmp_path / "there").exists()


def test_another_bundle_of_the_same_name_is_refused_unless_it_gets_another(
    path: Path, tmp_path: Path
) -> None:
    imported(path, tmp_path / "there")
    other = bundled(write_sample(tmp_path / "other", reason="out of memory"), tmp_path / "other.saih.zip")
    with pytest.raises(UsageError, match="another bundle"):
        imported(other, tmp_path / "there")
    there = imported(other, tmp_path / "there", "second").folder
    origin = read_origin(there)
    assert origin is not None
    assert (origin.name, origin.fingerprint) == ("tiny", verified(other).fingerprint)


def test_a_sweep_of_this_site_is_never_replaced(folder: SweepFolder, path: Path) -> None:
    with pytest.raises(UsageError, match="a sweep of this site"):
        imported(path, folder.root)
    (folder.root / "taken").write_text("a file")
    with pytest.raises(UsageError, match="a file"):
        imported(path, folder.root, "taken")


@pytest.mark.parametrize("name", ["../x", "ceilings", "a/b", ""])
def test_a_name_that_no_sweep_has_is_refused(name: str, path: Path, tmp_path: Path) -> None:
    if name:
        with pytest.raises(UsageError, match="cannot be called"):
            imported(path, tmp_path / "there", name)
    assert not (tmp_path / "there").exists()


def test_ceilings_of_equal_environments_stay_apart(path: Path, tmp_path: Path) -> None:
    label = points_of("tiny")[0].placement.label
    write_ceilings(tmp_path / "there", ceilings(environment(), label, rate=7e11))
    there = imported(path, tmp_path / "there").folder
    placement, key = points_of("tiny")[0].placement, environment().environment_id
    ours, theirs = (
        read_ceilings(there.root, key, placement),
        read_ceilings(ceilings_root(there), key, placement),
    )
    assert ours is not None
    assert theirs is not None
    assert (ours.curves[0].rates[0].value, theirs.curves[0].rates[0].value) == (7e11, 1e11)


def test_an_imported_sweep_is_bundled_as_it_came(path: Path, tmp_path: Path) -> None:
    there = imported(path, tmp_path / "there", "renamed").folder
    assert bundled(there, tmp_path / "again.saih.zip").read_bytes() == path.read_bytes()
    with pytest.raises(UsageError, match="as it came"):
        bundled(there, tmp_path / "other.saih.zip", is_anonymised=True)
    victim = next(there.path.glob("*/attempt-1/environment.json"))
    victim.write_bytes(victim.read_bytes() + b" ")
    with pytest.raises(DamagedData, match="is not what was imported"):
        bundled(there, tmp_path / "third.saih.zip")


def test_a_damaged_sweep_is_not_bundled_and_leaves_no_file(folder: SweepFolder, tmp_path: Path) -> None:
    victim = next(folder.path.glob("*/attempt-1/point.json"))
    victim.write_bytes(victim.read_bytes().replace(b"8", b"9", 1))
    with pytest.raises(DamagedData, match=r"point\.json"):
        bundled(folder, tmp_path / "x.saih.zip")
    assert not list(tmp_path.glob("*.zip")) + list(tmp_path.glob(".*"))


def test_a_sweep_without_a_finished_point_is_not_bundled(tmp_path: Path) -> None:
    folder = write_sample(tmp_path)
    for outcome in folder.path.glob("*/attempt-*/outcome.json"):
        outcome.unlink()
    with pytest.raises(UsageError, match="no finished point"):
        bundled(folder, tmp_path / "x.saih.zip")


def test_a_sweep_without_limits_and_ceilings_makes_a_bundle_too(folder: SweepFolder, tmp_path: Path) -> None:
    (folder.path / "limits.json").unlink()
    next(folder.root.glob("ceilings/*/*.json")).unlink()
    there = imported(bundled(folder, tmp_path / "x.saih.zip"), tmp_path / "there").folder
    analysis, damages = analysis_of(there, tmp_path)
    assert damages == ()
    assert analysis.ceilings == ()
    assert len(analysis.points) == 3


def test_what_an_adaptive_sweep_left_out_on_purpose_is_known_where_it_is_imported(
    folder: SweepFolder, tmp_path: Path
) -> None:
    shutil.rmtree(folder.path / points_of("tiny")[3].point_id)
    for is_over in (False, True):
        write_adaptive(folder, Adaptive(asked=Asked(), is_over=is_over, reason="known well enough"))
        path = bundled(folder, tmp_path / f"{is_over}.saih.zip")
        there = imported(path, tmp_path / f"there-{is_over}").folder
        analysis, damages = analysis_of(there, tmp_path)
        assert damages == ()
        reasons = [dropped.reason for dropped in analysis.dropped]
        assert any("known well enough" in reason for reason in reasons) == is_over
        assert any("no usable record yet" in warning for warning in analysis.warnings) != is_over


@pytest.mark.parametrize("text", ["a b", "x\x1b[2J", "x" * 201])
def test_a_license_that_is_none_is_refused(text: str, folder: SweepFolder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--license"):
        bundled(folder, tmp_path / "x.saih.zip", credit=Credit(license=text))
