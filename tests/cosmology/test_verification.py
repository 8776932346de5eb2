"""All damage of a data set is told, and none of it reaches training silently."""

import random
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosmology.checked_lines import read_checked_lines, write_checked_lines
from cosmology.dataset import open_dataset
from cosmology.dataset_error import DatasetError
from cosmology.durable_file import read_checked_json, write_checked_json
from cosmology.imported import ImportedDefinition, SourceFormat
from cosmology.layout import dataset_folder, dataset_folders
from cosmology.manifest import is_sealed, manifest_path, read_any_manifest, read_header
from cosmology.stored_definition import stored_definition
from cosmology.verification import Damage, Thoroughness, verify, verify_universes
from tests.cosmology.dataset_by_hand import (
    DEFINITION,
    FOLDER,
    MANIFEST,
    RECORD,
    SHARD,
    UNIVERSE,
    digests,
    flip_bit,
    generate,
    read_everything,
)


def damages(folder: Path, thoroughness: Thoroughness = Thoroughness.SAMPLES) -> list[Damage]:
    return [damage for check in verify(folder / FOLDER, thoroughness) for damage in check.damages]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("made"))


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


@pytest.mark.parametrize("thoroughness", list(Thoroughness))
def test_a_whole_data_set_has_no_damage_and_every_file_is_looked_at(
    made: Path, thoroughness: Thoroughness
) -> None:
    checks = list(verify(made / FOLDER, thoroughness))
    assert not any(check.damages for check in checks)
    assert {check.path for check in checks} == set((made / FOLDER).iterdir())
    assert {check.path: check.num_bytes for check in checks} == {
        path: path.stat().st_size for path in (made / FOLDER).iterdir()
    }
    assert sum(check.num_samples for check in checks) == DEFINITION.num_samples


@pytest.mark.parametrize("thoroughness", list(Thoroughness))
def test_random_flips_are_found_and_reading_gives_the_same_or_fails(
    made: Path, tmp_path: Path, thoroughness: Thoroughness
) -> None:
    """The benchmark does it 300 times."""
    chance = random.Random(5)
    whole = read_everything(made)
    copy = Path(shutil.copytree(made, tmp_path / "copy"))
    for path in 5 * sorted((copy / FOLDER).iterdir()):
        before = path.read_bytes()
        flip_bit(path, chance.randrange(len(before)), chance.randrange(8))
        assert path in {damage.path for damage in damages(copy, thoroughness)}
        try:
            assert np.array_equal(read_everything(copy), whole)
        except DatasetError as error:
            was_named = path.name in str(error)
            assert was_named
        path.write_bytes(before)
    assert damages(copy) == []


def test_the_damaged_sample_is_named_and_the_others_are_not(copy: Path) -> None:
    with h5py.File(copy / SHARD) as file:
        info = file["full"].id.get_chunk_info(2)
    flip_bit(copy / SHARD, info.byte_offset + info.size // 2)
    for thoroughness in Thoroughness:
        whole_file, sample = damages(copy, thoroughness)
        assert (whole_file.path, whole_file.sample) == (copy / SHARD, None)
        assert (sample.path, sample.sample) == (copy / SHARD, 2)
        assert "shard-000001.h5 is damaged" in sample.reason


def test_all_damages_are_told_not_only_the_first(copy: Path) -> None:
    (copy / SHARD).unlink()
    flip_bit(copy / SHARD.replace("000001", "000000"), 900)
    flip_bit(copy / RECORD.replace("000001", "000002"), 100)
    assert {damage.path.name for damage in damages(copy)} == {
        "shard-000000.h5",
        "shard-000001.h5",
        "shard-000002.json",
    }


def test_with_a_damaged_manifest_the_records_vouch_for_the_shards(copy: Path) -> None:
    flip_bit(copy / MANIFEST, 50)
    assert {damage.path for damage in damages(copy)} == {copy / MANIFEST}
    flip_bit(copy / SHARD, 900)
    assert {damage.path for damage in damages(copy)} == {copy / MANIFEST, copy / SHARD}


def test_records_may_be_cleared_away_once_the_manifest_stands(copy: Path) -> None:
    (copy / RECORD).unlink()
    assert damages(copy) == []
    (copy / MANIFEST).unlink()
    assert {damage.path for damage in damages(copy)} == {copy / MANIFEST, copy / RECORD}


def test_a_record_that_was_exchanged_is_told(copy: Path) -> None:
    content = read_checked_json(copy / RECORD)
    write_checked_json(copy / RECORD, {**content, "file": {**content["file"], "num_bytes": 1}})
    (damage,) = damages(copy)
    assert "disagrees with the manifest" in damage.reason


def test_a_shard_exchanged_with_all_its_own_checksums_does_not_reach_training(
    copy: Path, tmp_path: Path
) -> None:
    """The checksums of HDF5 agree, those of the manifest do not."""
    with h5py.File(copy / SHARD, "r+") as file:
        file["full"][1, 0, 0, 0, 0] += 1
    header, *files, summary = read_checked_lines(copy / MANIFEST)
    files[1]["num_bytes"] = (copy / SHARD).stat().st_size
    write_checked_lines(copy / MANIFEST, [header, *files, summary])
    with open_dataset(DEFINITION, copy) as dataset:
        dataset.read([1])
        with pytest.raises(DatasetError, match=r"sample 1 of .*shard-000001\.h5 is damaged .*CRC-32C"):
            dataset.read([4])
    assert (copy / SHARD, 1) in {(damage.path, damage.sample) for damage in damages(copy)}


def test_damaged_targets_do_not_reach_training(copy: Path) -> None:
    with h5py.File(copy / SHARD, "r+") as file:
        file["unitPar"][0, 3] = 0.0
    header, *files, summary = read_checked_lines(copy / MANIFEST)
    files[1]["num_bytes"] = (copy / SHARD).stat().st_size
    write_checked_lines(copy / MANIFEST, [header, *files, summary])
    with (
        open_dataset(DEFINITION, copy) as dataset,
        pytest.raises(DatasetError, match=r"sample 0 of .* is damaged"),
    ):
        dataset.read([1])


def test_damaged_universes_are_found(copy: Path) -> None:
    folder = (copy / UNIVERSE).parent
    assert not any(check.damages for check in verify_universes(folder))
    assert {check.path for check in verify_universes(folder)} == set(folder.iterdir())
    flip_bit(copy / UNIVERSE, 1000)
    flip_bit((copy / UNIVERSE).with_name("universe-000002.json"), 30)
    found = [damage.path.name for check in verify_universes(folder) for damage in check.damages]
    assert found == ["universe-000001.h5", "universe-000002.json"]


def test_a_universe_that_has_no_record_yet_is_unfinished_not_damaged(copy: Path) -> None:
    (copy / UNIVERSE).with_suffix(".json").unlink()
    checks = list(verify_universes((copy / UNIVERSE).parent))
    assert not any(check.damages for check in checks)
    assert [check.path for check in checks if not check.is_finished] == [copy / UNIVERSE]


@pytest.mark.parametrize("ending", [".h5", ".json"])
def test_the_remedy_for_a_damaged_universe_leads_to_a_whole_folder(copy: Path, ending: str) -> None:
    flip_bit((copy / UNIVERSE).with_suffix(ending), 30)
    (damage,) = (damage for check in verify_universes((copy / UNIVERSE).parent) for damage in check.damages)
    assert damage.path == (copy / UNIVERSE).with_suffix(ending)
    assert "; delete universe-000001.h5 and universe-000001.json there" in damage.reason
    for path in (copy / UNIVERSE, (copy / UNIVERSE).with_suffix(".json")):
        path.unlink()
    assert all(check.is_finished for check in verify_universes((copy / UNIVERSE).parent))
    (copy / SHARD).unlink()
    generate(copy)
    assert (copy / UNIVERSE).exists()


def test_a_data_set_says_what_it_is_to_who_does_not_know_it(made: Path) -> None:
    assert dataset_folders(made) == (made / FOLDER,)
    header = read_header(made / FOLDER)
    assert (header.dataset_id, header.canonical) == (DEFINITION.dataset_id, DEFINITION.canonical)
    assert (header.num_samples, header.sample_shape) == (10, DEFINITION.sample_shape)
    assert header.redshifts == DEFINITION.redshifts
    manifest = read_any_manifest(made / FOLDER)
    particles = [sum(n * many for n, many in enumerate(histogram)) for histogram in manifest.histograms]
    assert particles == read_everything(made).sum(axis=(0, 2, 3, 4)).tolist()


def test_a_data_set_of_an_older_version_is_refused_by_name_and_left(tmp_path: Path) -> None:
    old = tmp_path / FOLDER / "manifest.json"
    write_checked_json(old, {"dataset_id": DEFINITION.dataset_id, "files": []})
    before = digests(tmp_path)
    with pytest.raises(DatasetError, match=r"manifest\.json is of a data set of schema 1"):
        open_dataset(DEFINITION, tmp_path)
    (damage,) = damages(tmp_path)
    assert "schema 1" in damage.reason
    assert is_sealed(tmp_path / FOLDER)
    assert digests(tmp_path) == before


def test_a_data_set_of_a_newer_version_is_refused_by_name(copy: Path) -> None:
    header, *others = read_checked_lines(copy / MANIFEST)
    write_checked_lines(copy / MANIFEST, [{**header, "schema_version": 99}, *others])
    with pytest.raises(DatasetError, match=r"manifest\.jsonl is of schema 99"):
        open_dataset(DEFINITION, copy)


@pytest.mark.parametrize("name", ["../shard-000001.h5", "other.h5"])
def test_a_manifest_that_names_other_files_is_refused(copy: Path, name: str) -> None:
    header, first, second, *others = read_checked_lines(copy / MANIFEST)
    write_checked_lines(copy / MANIFEST, [header, first, {**second, "name": name}, *others])
    with pytest.raises(DatasetError, match=r"manifest\.jsonl (names other files|is damaged)"):
        open_dataset(DEFINITION, copy)


POOR = """
import os, sys
sys.modules["hdf5plugin"] = None
os.environ["HDF5_PLUGIN_PATH"] = os.devnull
from pathlib import Path
from cosmology.verification import Thoroughness, verify

for thoroughness in (Thoroughness.BYTES, Thoroughness.SAMPLES):
    try:
        print(sum(len(check.damages) for check in verify(Path(sys.argv[1]), thoroughness)))
    except ValueError as error:
        print(error)
assert "torch" not in sys.modules
"""


def test_bytes_can_be_verified_without_the_codec_and_without_torch(copy: Path) -> None:
    flip_bit(copy / SHARD, 900)
    child = subprocess.run(
        [sys.executable, "-c", POOR, str(copy / FOLDER)], check=True, capture_output=True, text=True
    )
    by_bytes, by_samples = child.stdout.splitlines()
    assert by_bytes == "1"
    assert "cannot be unpacked" in by_samples


@pytest.mark.parametrize("definition", [None, 3, [], "train"])
def test_a_manifest_whose_definition_is_no_object_is_damaged(copy: Path, definition: object) -> None:
    header, *others = read_checked_lines(copy / MANIFEST)
    write_checked_lines(copy / MANIFEST, [{**header, "definition": definition}, *others])
    with pytest.raises(
        DatasetError, match=r"manifest\.jsonl is damaged \(its definition is no JSON object\)"
    ):
        stored_definition(copy / FOLDER)


HOSTILE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from pathlib import Path
from cosmology.layout import dataset_folders
from cosmology.manifest import read_manifest
from cosmology.official_export import ExportRules, export_official
from cosmology.stored_definition import stored_definition

folder = Path(sys.argv[1])
(place,) = dataset_folders(folder)
definition = stored_definition(place)
tries = (
    lambda: read_manifest(folder, definition),
    lambda: export_official(definition, folder, folder / "out", ExportRules(), print),
)
for attempt in tries:
    try:
        attempt()
    except ValueError as error:
        print(error)
"""


@pytest.mark.parametrize("num_universes", [2**40, 2**70])
def test_more_universes_than_memory_has_room_for_are_refused(
    copy: Path, tmp_path: Path, num_universes: int
) -> None:
    definition = ImportedDefinition(
        source_format=SourceFormat.TFRECORD,
        source_sha256="ab",
        resolution=8,
        redshifts=DEFINITION.redshifts,
        runs=((num_universes, 4),),
    )
    header, *others = read_checked_lines(copy / MANIFEST)
    about = {"dataset_id": definition.dataset_id, "definition": definition.canonical}
    folder = tmp_path / "hostile"
    hostile = manifest_path(dataset_folder(folder, definition))
    hostile.parent.mkdir(parents=True)
    write_checked_lines(hostile, [{**header, **about}, *others])
    child = subprocess.run(
        [sys.executable, "-c", HOSTILE, str(folder)], check=True, capture_output=True, text=True
    )
    assert child.stdout.count("names other files or samples than its data set has") == 2
