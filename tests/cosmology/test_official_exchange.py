"""Data sets to official files and back: nothing is lost, what is there is kept, damage is told."""

import json
import os
import shutil
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cosmology.choices import Split
from cosmology.dataset import open_dataset
from cosmology.dataset_error import DatasetError
from cosmology.definition import DatasetDefinition
from cosmology.generation import complete, seal
from cosmology.imported import ImportedDefinition
from cosmology.layout import dataset_folder
from cosmology.official_export import Exported, ExportRules, export_official
from cosmology.official_import import definition_of, import_source
from cosmology.official_source import ReadingRules, find_source
from cosmology.official_tfrecord import OfficialSample, read_official_sample, write_official_samples
from cosmology.parameters import parameters_of
from cosmology.share import Share
from cosmology.stored_definition import StoredDefinition, stored_definition
from cosmology.verification import verify
from tests.cosmology.dataset_by_hand import digests
from workloads.cosmoflow.examples import read_examples

DEFINITION = DatasetDefinition(
    seed=3, num_samples=7, num_universes=3, resolution=8, simulation_side=16, num_steps=4, force_mesh_factor=1
)
RULES = ReadingRules(num_threads=2, resolution=8)


def silent(*_: object) -> None:
    """Progress for nobody."""


def imported_from_folder(source: Path, folder: Path, rules: ReadingRules = RULES) -> ImportedDefinition:
    found = find_source(source, rules)
    definition = definition_of(found, Split.TRAIN)
    import_source(found, definition, folder, rules, silent)
    return definition


def everything(definition: StoredDefinition, folder: Path) -> Iterator[tuple[bytes, bytes]]:
    """Counts and targets of all samples, as they are in memory."""
    with open_dataset(definition, folder) as dataset:
        for index in range(len(dataset)):
            counts, targets = dataset.read([index])
            yield counts.tobytes(), targets.tobytes()


def write_sample(path: Path, seed: int, target: float, resolution: int = 8) -> None:
    counts = np.random.default_rng(seed).poisson(1, (4, *(resolution,) * 3)).astype(np.uint16)
    targets = np.array([target, 0, 0, 0], np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_official_samples(path, [OfficialSample(counts=counts, targets=targets)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    complete(DEFINITION, folder, 0, 1, silent)
    seal(DEFINITION, folder)
    return folder


@pytest.fixture(scope="module")
def exported(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("exported")
    rules = ExportRules(num_validation=1, num_threads=2)
    done = export_official(DEFINITION, made, output, rules, silent)
    assert done == Exported(num_train=5, num_validation=2)
    return output


def test_samples_are_files_split_by_universe(made: Path, exported: Path) -> None:
    names = {path.relative_to(exported).as_posix() for path in exported.rglob("*.tfrecord")}
    train = {f"train/universe-{universe:06d}_{row:03d}.tfrecord" for universe in (0, 1) for row in (0, 1)}
    validation = {f"validation/universe-000002_{row:03d}.tfrecord" for row in (0, 1)}
    assert names == train | {"train/universe-000000_002.tfrecord"} | validation
    about = json.loads((exported / f"saih-{DEFINITION.dataset_id}.json").read_text())["content"]
    assert (about["num_train"], about["num_validation"], about["compression"]) == (5, 2, "gzip-6")
    samples = list(everything(DEFINITION, made))
    for index, (counts, targets) in enumerate(samples):
        universe, row = DEFINITION.place_of(index)
        (path,) = exported.rglob(f"universe-{universe:06d}_{row:03d}.tfrecord")
        found = read_official_sample(path)
        assert (found.counts.tobytes(), found.targets.tobytes()) == (counts, targets)


def test_what_is_exported_is_imported_as_it_was(made: Path, exported: Path, tmp_path: Path) -> None:
    definition = imported_from_folder(exported / "train", tmp_path)
    assert (definition.num_samples, definition.runs) == (5, ((1, 3), (1, 2)))
    assert list(everything(definition, tmp_path)) == [
        sample
        for index, sample in enumerate(everything(DEFINITION, made))
        if DEFINITION.place_of(index)[0] < 2
    ]
    folder = dataset_folder(tmp_path, definition)
    assert stored_definition(folder) == definition
    assert not [damage for check in verify(folder) for damage in check.damages]
    with h5py.File(folder / "shard-000000.h5") as shard:
        targets = tuple(map(float, shard["unitPar"][0]))
        assert shard["physPar"][0] == pytest.approx(parameters_of(targets).physical)


def test_networks_may_learn_from_what_was_imported(exported: Path, tmp_path: Path) -> None:
    definition = imported_from_folder(exported / "train", tmp_path)
    with open_dataset(definition, tmp_path) as dataset:
        examples = read_examples(dataset)
    assert examples.counts.shape == (5, 4, 8, 8, 8)
    assert examples.universes.tolist() == [0, 1, 0, 1, 0]
    assert not examples.is_periodic  # crops of others


def test_an_import_goes_on_where_it_was_and_repeats_nothing(exported: Path, tmp_path: Path) -> None:
    definition = imported_from_folder(exported / "train", tmp_path)
    folder = dataset_folder(tmp_path, definition)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    lost = {folder / "manifest.jsonl", folder / "shard-000001.h5"}
    contents = {path: path.read_bytes() for path in folder.iterdir()}
    for path in lost:
        path.unlink()
    assert imported_from_folder(exported / "train", tmp_path) == definition
    assert {path: path.read_bytes() for path in folder.iterdir()} == contents
    kept = folder / "shard-000000.h5"
    assert kept.stat().st_mtime_ns == before[kept]


def test_an_export_goes_on_where_it_was_and_overwrites_nothing(
    made: Path, exported: Path, tmp_path: Path
) -> None:
    rules = ExportRules(num_threads=1)
    export_official(DEFINITION, made, tmp_path, rules, silent)
    first = tmp_path / "train" / "universe-000000_000.tfrecord"
    second = tmp_path / "train" / "universe-000001_000.tfrecord"
    content, written = second.read_bytes(), first.stat().st_mtime_ns
    second.unlink()
    export_official(DEFINITION, made, tmp_path, rules, silent)
    assert second.read_bytes() == content
    assert first.stat().st_mtime_ns == written
    write_sample(second.with_name("universe-000002_000.tfrecord").with_suffix(".other"), seed=9, target=0.9)
    second.with_name("universe-000002_000.other").replace(second)
    foreign = second.read_bytes()
    with pytest.raises(DatasetError, match="holds another sample; choose another folder"):
        export_official(DEFINITION, made, tmp_path, rules, silent)
    assert second.read_bytes() == foreign


@pytest.mark.parametrize(
    "other",
    [
        ExportRules(),
        ExportRules(num_validation=2),
        ExportRules(num_validation=1, gzip_level=None),
        ExportRules(num_validation=1, gzip_level=1),
        ExportRules(share=Share(rank=1, num_ranks=2)),
    ],
    ids=str,
)
def test_an_export_that_splits_or_packs_otherwise_than_the_first_is_refused(
    made: Path, tmp_path: Path, other: ExportRules
) -> None:
    """Else a universe would be in both splits, and what stands beside the files would not be true."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_official(DEFINITION, made, tmp_path, ExportRules(num_validation=1), stop)
    before = digests(tmp_path)
    words = "5 samples for training and 2 for validation .compression: gzip-6., but .*; ask for what is there"
    with pytest.raises(DatasetError, match=words):
        export_official(DEFINITION, made, tmp_path, other, silent)
    assert digests(tmp_path) == before
    export_official(DEFINITION, made, tmp_path, ExportRules(num_validation=1), silent)


def test_parts_that_begin_at_once_by_other_rules_do_not_both_end_well(made: Path, tmp_path: Path) -> None:
    """The other part looks before this one has said how it splits, and says it after."""
    about = tmp_path / f"saih-{DEFINITION.dataset_id}.json"

    def meanwhile(done: int, _: int) -> None:
        if done == 1:
            about.unlink()
            export_official(DEFINITION, made, tmp_path, ExportRules(share=Share(rank=1, num_ranks=2)), silent)

    rules = ExportRules(num_validation=1, share=Share(rank=0, num_ranks=2))
    with pytest.raises(DatasetError, match="asked for are 5 samples for training and 2"):
        export_official(DEFINITION, made, tmp_path, rules, meanwhile)


@pytest.mark.parametrize("num_validation", [(1, 0), (0, 1)])
def test_no_universe_is_exported_into_both_splits(
    made: Path, tmp_path: Path, num_validation: tuple[int, int]
) -> None:
    """Where what tells of the first export is gone, its files still do."""
    first, second = (ExportRules(num_validation=number) for number in num_validation)
    export_official(DEFINITION, made, tmp_path, first, silent)
    (tmp_path / f"saih-{DEFINITION.dataset_id}.json").unlink()
    before = set(tmp_path.rglob("*.tfrecord"))
    with pytest.raises(
        DatasetError, match=r"universe-000002_000\.tfrecord exists, but (train|validation) is"
    ):
        export_official(DEFINITION, made, tmp_path, second, silent)
    assert set(tmp_path.rglob("*.tfrecord")) == before


def test_what_killed_exports_left_is_cleared_away(made: Path, tmp_path: Path) -> None:
    left = tmp_path / "train" / ".universe-000001_000.tfrecord.abcd1234.tmp"
    at_work = tmp_path / "train" / ".universe-000009_000.tfrecord.abcd1234.tmp"
    left.parent.mkdir()
    for path in (left, at_work):
        path.write_bytes(b"half")
    export_official(DEFINITION, made, tmp_path, ExportRules(), silent)
    assert [path.name for path in tmp_path.rglob("*.tmp")] == [at_work.name]


def test_parts_make_what_one_process_makes(made: Path, exported: Path, tmp_path: Path) -> None:
    for rank in (1, 0):
        rules = ExportRules(num_validation=1, share=Share(rank=rank, num_ranks=2))
        export_official(DEFINITION, made, tmp_path / "out", rules, silent)
    files = {path.relative_to(exported): path.read_bytes() for path in exported.rglob("*.*")}
    found = tmp_path / "out"
    assert {path.relative_to(found): path.read_bytes() for path in found.rglob("*.*")} == files
    whole = imported_from_folder(exported / "train", tmp_path / "whole")
    source = find_source(exported / "train", RULES)
    for rank, is_finished in ((1, False), (1, False), (0, True)):
        share = Share(rank=rank, num_ranks=2)
        assert import_source(source, whole, tmp_path / "parts", RULES, silent, share) == is_finished
    assert list(everything(whole, tmp_path / "parts")) == list(everything(whole, tmp_path / "whole"))
    with pytest.raises(DatasetError, match="part 3 of 2 cannot be"):
        Share(rank=2, num_ranks=2)


@pytest.mark.parametrize("num_validation", [3, 4])
def test_a_split_that_leaves_nothing_to_train_on_is_refused(
    made: Path, tmp_path: Path, num_validation: int
) -> None:
    with pytest.raises(DatasetError, match="leave none to train on"):
        export_official(DEFINITION, made, tmp_path, ExportRules(num_validation=num_validation), silent)
    validation = replace(DEFINITION, split=Split.VALIDATION)
    with pytest.raises(DatasetError, match="is for validation as a whole"):
        export_official(validation, made, tmp_path, ExportRules(num_validation=1), silent)


def test_a_damaged_shard_is_not_exported(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy" / f"dataset-{DEFINITION.dataset_id}"
    folder.mkdir(parents=True)
    for path in dataset_folder(made, DEFINITION).iterdir():
        content = bytearray(path.read_bytes())
        if path.name == "shard-000001.h5":
            content[len(content) - 3000] ^= 1
        (folder / path.name).write_bytes(content)
    try:
        export_official(DEFINITION, tmp_path / "copy", tmp_path / "out", ExportRules(), silent)
    except DatasetError as error:
        assert "shard-000001.h5" in str(error)  # noqa: PT017
    expected = set(everything(DEFINITION, made))
    for path in (tmp_path / "out").rglob("*.tfrecord"):
        sample = read_official_sample(path)
        assert (sample.counts.tobytes(), sample.targets.tobytes()) in expected


def test_universes_in_hdf5_are_imported_as_crops(tmp_path: Path) -> None:
    full = np.random.default_rng(1).poisson(1, (2, 16, 16, 16, 4)).astype(np.uint16)
    (tmp_path / "source" / "deep").mkdir(parents=True)
    for number, name in enumerate(("b.hdf5", "deep/a.hdf5")):
        with h5py.File(tmp_path / "source" / name, "w") as file:
            file.create_dataset("full", data=full[number], compression="gzip")
            file["unitPar"] = np.array([0.1 * number, 0, 0, 0])
    definition = imported_from_folder(tmp_path / "source", tmp_path / "data")
    assert (definition.runs, definition.redshifts) == (((2, 8),), (0.0, 0.5, 1.5, 3.0))
    with open_dataset(definition, tmp_path / "data") as dataset:
        counts, targets = dataset.read(range(16))
    crops = full[0, ..., 1].reshape(2, 8, 2, 8, 2, 8).transpose(0, 2, 4, 1, 3, 5).reshape(8, 8, 8, 8)
    assert np.array_equal(counts[::2, 1], crops)
    assert np.array_equal(targets[:2, 0], np.array([0, 0.1], np.float32))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "no such files"),
        (("a_000.tfrecord", "b.hdf5"), "files of both formats"),
    ],
)
def test_folders_without_one_format_are_refused(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(DatasetError, match=words):
        find_source(tmp_path, RULES)


def test_samples_of_one_universe_share_its_targets(tmp_path: Path) -> None:
    write_sample(tmp_path / "in" / "u_000.tfrecord", seed=1, target=0.1)
    write_sample(tmp_path / "in" / "u_001.tfrecord", seed=2, target=0.2)
    with pytest.raises(DatasetError, match="names of one universe but other targets"):
        imported_from_folder(tmp_path / "in", tmp_path / "data")


def test_samples_of_two_sizes_are_refused(tmp_path: Path) -> None:
    write_sample(tmp_path / "in" / "u_000.tfrecord", seed=1, target=0.1)
    write_sample(tmp_path / "in" / "v_000.tfrecord", seed=2, target=0.2, resolution=16)
    with pytest.raises(DatasetError, match=r"v_000\.tfrecord is of the shape \(4, 16, 16, 16\), not \(4, 8"):
        imported_from_folder(tmp_path / "in", tmp_path / "data")


def test_a_damaged_file_is_told_and_what_is_whole_is_kept(tmp_path: Path) -> None:
    for name in ("u_000", "v_000"):
        write_sample(tmp_path / "in" / f"{name}.tfrecord", seed=1, target=0.1)
    damaged = tmp_path / "in" / "v_000.tfrecord"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-9])
    with pytest.raises(DatasetError, match=r"v_000\.tfrecord.*again"):
        imported_from_folder(tmp_path / "in", tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").rglob("*.h5")] == ["shard-000000.h5"]
    assert not list((tmp_path / "data").rglob("manifest*"))


def test_other_bytes_below_the_same_names_are_another_data_set(tmp_path: Path) -> None:
    path = tmp_path / "in" / "u_000.tfrecord"
    write_sample(path, seed=1, target=0.1)
    first = imported_from_folder(tmp_path / "in", tmp_path / "data")
    write_sample(path, seed=2, target=0.1)
    second = imported_from_folder(tmp_path / "in", tmp_path / "data")
    assert first.dataset_id != second.dataset_id
    assert list(everything(first, tmp_path / "data")) != list(everything(second, tmp_path / "data"))


def test_channels_whose_redshifts_nobody_knows_are_refused(tmp_path: Path) -> None:
    counts = np.ones((2, 8, 8, 8), np.uint16)
    sample = OfficialSample(counts=counts, targets=np.zeros(4, np.float32))
    write_official_samples(tmp_path / "u_000.tfrecord", [sample])
    rules = replace(RULES, num_channels=2)
    with pytest.raises(DatasetError, match="2 channels, but 4 redshifts"):
        find_source(tmp_path, rules)
    assert find_source(tmp_path, replace(rules, redshifts=(0.0, 1.0))).redshifts == (0.0, 1.0)


def test_names_that_are_no_text_are_imported_too(tmp_path: Path) -> None:
    write_sample(tmp_path / "in" / os.fsdecode(b"u\xff_000.tfrecord"), seed=1, target=0.1)
    assert imported_from_folder(tmp_path / "in", tmp_path / "data").num_samples == 1


def with_free_bytes(free: int, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - free, free))


def test_the_room_for_dense_grids_is_that_of_their_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = np.random.default_rng(1).integers(0, 2**15, (4, 16, 16, 16)).astype(np.uint16)
    sample = OfficialSample(counts=counts, targets=np.zeros(4, np.float32))
    (tmp_path / "in").mkdir()
    write_official_samples(tmp_path / "in" / "u_000.tfrecord", [sample])
    with_free_bytes(counts.nbytes // 2, monkeypatch)
    with pytest.raises(DatasetError, match=r"1 samples need about .* GB free; free some"):
        imported_from_folder(tmp_path / "in", tmp_path / "data")
    plain = tmp_path / "plain" / "u_000.tfrecord"
    plain.parent.mkdir()
    write_official_samples(plain, [sample], gzip_level=None)  # nothing tells how far they shrink
    imported_from_folder(plain.parent, tmp_path / "data")


def test_the_first_part_of_an_import_needs_room_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("u_000", "v_000"):
        write_sample(tmp_path / "in" / f"{name}.tfrecord", seed=1, target=0.1)
    source = find_source(tmp_path / "in", RULES)
    definition = definition_of(source, Split.TRAIN)
    with_free_bytes(definition.sample_bytes * 3 // 8, monkeypatch)  # of one
    first, second = (Share(rank=rank, num_ranks=2) for rank in range(2))
    with pytest.raises(DatasetError, match="2 samples need about"):
        import_source(source, definition, tmp_path / "data", RULES, silent, first)
    assert not import_source(source, definition, tmp_path / "data", RULES, silent, second)
    assert import_source(source, definition, tmp_path / "data", RULES, silent, first)
