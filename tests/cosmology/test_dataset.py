"""Data sets on disk: generation in parts, identity of bytes, reading, damage."""

import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from cosmology.checked_lines import read_checked_lines, write_checked_lines
from cosmology.codec import default_codec
from cosmology.dataset import open_dataset
from cosmology.definition import DatasetDefinition, DatasetError, Reuse
from cosmology.durable_file import read_checked_json, sha256_of, write_checked_json
from cosmology.generation import complete, is_complete, seal
from cosmology.parameters import draw_targets
from cosmology.redshifts import REDSHIFT_ORDER
from cosmology.stored_counts import chunk_of, create_counts
from cosmology.universe import make_universe
from tests.cosmology.dataset_by_hand import (
    DEFINITION,
    MANIFEST,
    RECORD,
    SHARD,
    UNIVERSE,
    digests,
    flip_bit,
    generate,
    read_everything,
    silent,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("made"))


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def test_samples_are_crops_of_their_universes_with_their_targets(made: Path) -> None:
    with open_dataset(DEFINITION, made) as dataset:
        counts, targets = dataset.read([7, 0, 9])
    assert counts.shape == (3, 2, 8, 8, 8)
    assert (counts.dtype, targets.dtype) == (np.uint16, np.float32)
    for place, sample in enumerate((7, 0, 9)):
        crop, universe = divmod(sample, 3)
        expected = make_universe(DEFINITION.universes, universe).counts
        x, y, z = 8 * (crop // 4), 8 * (crop // 2 % 2), 8 * (crop % 2)
        assert np.array_equal(counts[place], expected[:2, x : x + 8, y : y + 8, z : z + 8])
        assert targets[place] == pytest.approx(draw_targets(11, universe), abs=1e-6)


def test_channel_statistics_are_those_of_log1p_of_all_counts(made: Path) -> None:
    logs = np.log1p(read_everything(made).astype(np.float64))
    with open_dataset(DEFINITION, made) as dataset:
        assert dataset.channel_mean == pytest.approx(logs.mean(axis=(0, 2, 3, 4)), rel=1e-6)
        assert dataset.channel_std == pytest.approx(logs.std(axis=(0, 2, 3, 4)), rel=1e-6)


def test_few_files_at_once_read_the_same(made: Path) -> None:
    order = [0, 1, 2, 1, 0, 2]
    with open_dataset(DEFINITION, made) as many, open_dataset(DEFINITION, made, max_open_shards=1) as one:
        assert np.array_equal(many.read(order)[0], one.read(order)[0])


def test_two_ranks_make_the_bytes_of_one(made: Path, tmp_path: Path) -> None:
    assert digests(generate(tmp_path, num_ranks=2)) == digests(made)


def test_two_threads_make_the_bytes_of_one(made: Path, tmp_path: Path) -> None:
    torch.set_num_threads(2)
    generate(tmp_path)
    torch.set_num_threads(1)
    assert digests(tmp_path) == digests(made)


def test_a_complete_data_set_is_left_alone(made: Path) -> None:
    said: list[str] = []
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    complete(DEFINITION, made, 0, 1, said.append)
    seal(DEFINITION, made)
    assert said == []
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*")} == before


def test_progress_tells_of_each_universe(tmp_path: Path) -> None:
    said: list[str] = []
    complete(DEFINITION, tmp_path, 1, 2, said.append)
    assert said == ["universe 000001 is ready (1 of 1 on rank 1)"]


def test_without_every_shard_there_is_no_seal(tmp_path: Path) -> None:
    complete(DEFINITION, tmp_path, 0, 2, silent)
    with pytest.raises(DatasetError, match=r"shard-000001\.json is missing; generate"):
        seal(DEFINITION, tmp_path)
    assert not is_complete(DEFINITION, tmp_path)


def test_a_missing_shard_is_made_again_from_the_cached_universe(copy: Path, made: Path) -> None:
    (copy / SHARD).unlink()
    assert not is_complete(DEFINITION, copy)
    untouched = (copy / UNIVERSE).stat().st_mtime_ns
    generate(copy)
    assert (copy / UNIVERSE).stat().st_mtime_ns == untouched
    assert digests(copy) == digests(made)


@pytest.mark.parametrize("name", [SHARD, MANIFEST, RECORD])
def test_a_truncated_file_is_made_again(copy: Path, made: Path, name: str) -> None:
    os.truncate(copy / name, (copy / name).stat().st_size // 2)
    (copy / MANIFEST).unlink()
    generate(copy)
    assert digests(copy) == digests(made)


def test_a_damaged_universe_is_said_and_made_anew(copy: Path, made: Path) -> None:
    flip_bit(copy / UNIVERSE, (copy / UNIVERSE).stat().st_size // 2)
    (copy / SHARD).unlink()
    said: list[str] = []
    complete(DEFINITION, copy, 0, 1, said.append)
    assert "universe-000001.h5 is damaged" in said[0]
    assert digests(copy) == digests(made)


def test_a_universe_of_other_universes_is_not_used(copy: Path, made: Path) -> None:
    with h5py.File(copy / UNIVERSE, "a") as file:
        file.attrs["universes_id"] = np.bytes_("0123456789abcdef")
    record = (copy / UNIVERSE).with_suffix(".json")
    forged = {"num_bytes": (copy / UNIVERSE).stat().st_size, "sha256": sha256_of(copy / UNIVERSE)}
    write_checked_json(record, {**read_checked_json(record), **forged})
    (copy / SHARD).unlink()
    said: list[str] = []
    complete(DEFINITION, copy, 0, 1, said.append)
    assert "is no universe of" in said[0]
    assert digests(copy) == digests(made)


def test_a_shard_damaged_after_opening_is_found_on_reading(copy: Path) -> None:
    with open_dataset(DEFINITION, copy) as dataset:
        with h5py.File(copy / SHARD, "a") as file:
            del file["unitPar"]
        with pytest.raises(DatasetError, match=r"shard-000001\.h5 lacks unitPar"):
            dataset.read([1])


def test_a_data_set_of_another_resolution_simulates_nothing_anew(copy: Path) -> None:
    other = DatasetDefinition(
        seed=11,
        num_samples=3,
        num_universes=3,
        resolution=16,
        simulation_side=16,
        num_steps=4,
        force_mesh_factor=1,
    )
    before = (copy / UNIVERSE).stat().st_mtime_ns
    counts = read_everything(generate(copy, other), other)
    assert (copy / UNIVERSE).stat().st_mtime_ns == before
    assert (counts.sum(axis=(2, 3, 4), dtype=np.int64) == 16**3).all()


def test_leftovers_of_killed_writers_are_cleared(copy: Path) -> None:
    leftover = copy / SHARD.replace("shard-000001.h5", ".shard-000001.h5.abc.tmp")
    leftover.write_bytes(b"half")
    (copy / SHARD).unlink()
    generate(copy)
    assert not list(copy.rglob("*.tmp"))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_flipped_bit_in_a_sample_is_found_on_reading(copy: Path, share: float) -> None:
    with h5py.File(copy / SHARD) as file:
        info = file["full"].id.get_chunk_info(1)
    flip_bit(copy / SHARD, info.byte_offset + int(share * info.size))
    with pytest.raises(DatasetError, match=r"shard-000001\.h5 is damaged .* delete it, then generate"):
        read_everything(copy)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.7, 0.95])
def test_a_flipped_bit_in_the_manifest_is_found_on_opening(copy: Path, share: float) -> None:
    flip_bit(copy / MANIFEST, int(share * (copy / MANIFEST).stat().st_size))
    with pytest.raises(DatasetError, match=r"manifest\.jsonl .* generate"):
        open_dataset(DEFINITION, copy)


def test_a_truncated_shard_is_refused_on_opening(copy: Path) -> None:
    os.truncate(copy / SHARD, 4000)
    with pytest.raises(DatasetError, match=r"shard-000001\.h5 has 4000 bytes, not \d+; delete it"):
        open_dataset(DEFINITION, copy)


def test_a_missing_data_set_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"manifest\.jsonl is missing; generate"):
        open_dataset(DEFINITION, tmp_path)


def link_elsewhere(file: h5py.File, _: np.ndarray) -> None:
    file["full"] = h5py.ExternalLink("elsewhere.h5", "full")


def link_softly(file: h5py.File, _: np.ndarray) -> None:
    file["full"] = h5py.SoftLink("/unitPar")


def map_virtually(file: h5py.File, full: np.ndarray) -> None:
    layout = h5py.VirtualLayout(full.shape, "<u2")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "full", full.shape)
    file.create_virtual_dataset("full", layout)


def store_elsewhere(file: h5py.File, full: np.ndarray) -> None:
    file.create_dataset("full", full.shape, "<u2", external=[("elsewhere.raw", 0, full.nbytes)])


def put_a_group(file: h5py.File, _: np.ndarray) -> None:
    file.create_group("full")


def put_nothing(_: h5py.File, __: np.ndarray) -> None:
    """The samples stay deleted."""


def change_the_type(file: h5py.File, full: np.ndarray) -> None:
    file.create_dataset("full", data=full.astype("<i4"), fletcher32=True)


def change_the_shape(file: h5py.File, full: np.ndarray) -> None:
    file.create_dataset("full", data=full[:-1], fletcher32=True)


def drop_the_checksums(file: h5py.File, full: np.ndarray) -> None:
    file.create_dataset("full", data=full)


def change_the_chunks(file: h5py.File, full: np.ndarray) -> None:
    file.create_dataset("full", data=full, chunks=full.shape, fletcher32=True)


def let_it_grow(file: h5py.File, full: np.ndarray) -> None:
    chunks = chunk_of(full.shape[1:])
    file.create_dataset("full", data=full, chunks=chunks, maxshape=(None, *full.shape[1:]), fletcher32=True)


def pack_it_otherwise(file: h5py.File, full: np.ndarray) -> None:
    chunks = chunk_of(full.shape[1:])
    file.create_dataset("full", data=full, chunks=chunks, compression="lzf", fletcher32=True)


def pack_the_targets(file: h5py.File, full: np.ndarray) -> None:
    create_counts(file, full.shape, chunk_of(full.shape[1:]), default_codec())[...] = full
    targets = file["unitPar"][:]
    del file["unitPar"]
    file.create_dataset("unitPar", data=targets, chunks=targets.shape, compression="gzip", fletcher32=True)


def change_the_identity(file: h5py.File, full: np.ndarray) -> None:
    create_counts(file, full.shape, chunk_of(full.shape[1:]), default_codec())[...] = full
    file.attrs["dataset_id"] = "0123456789abcdef"


def accept_in_manifest(folder: Path) -> None:
    """Forge the manifest so that the changed shard looks as long as it should."""
    header, first, second, *others = read_checked_lines(folder / MANIFEST)
    second["num_bytes"] = (folder / SHARD).stat().st_size
    write_checked_lines(folder / MANIFEST, [header, first, second, *others])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (link_elsewhere, "link to elsewhere"),
        (link_softly, "link to elsewhere"),
        (map_virtually, "stored elsewhere"),
        (store_elsewhere, "stored elsewhere"),
        (put_a_group, "no dataset"),
        (put_nothing, "lacks full"),
        (change_the_type, "is int32"),
        (change_the_shape, "is uint16"),
        (drop_the_checksums, "no checksums"),
        (change_the_chunks, "cut into chunks"),
        (let_it_grow, "may grow"),
        (pack_it_otherwise, "packed by HDF5 filters"),
        (pack_the_targets, "packed by HDF5 filters"),
        (change_the_identity, "belongs to data set 0123456789abcdef"),
    ],
)
def test_a_foreign_shard_is_refused_on_opening(
    copy: Path, change: Callable[[h5py.File, np.ndarray], None], message: str
) -> None:
    with h5py.File(copy / SHARD, "a") as file:
        full = file["full"][:]
        del file["full"]
        change(file, full)
    accept_in_manifest(copy)
    with pytest.raises(DatasetError, match=rf"shard-000001\.h5.*{message}|{message}.*shard-000001\.h5"):
        open_dataset(DEFINITION, copy)


def test_a_file_that_is_no_hdf5_is_refused_on_opening(copy: Path) -> None:
    (copy / SHARD).write_bytes(bytes((copy / SHARD).stat().st_size))
    with pytest.raises(DatasetError, match=r"shard-000001\.h5 is damaged"):
        open_dataset(DEFINITION, copy)


def test_the_manifest_of_another_data_set_is_refused(copy: Path) -> None:
    other = DatasetDefinition(seed=12, num_samples=1, num_universes=1, resolution=16, simulation_side=16)
    target = copy / f"dataset-{other.dataset_id}"
    target.mkdir()
    shutil.copy(copy / MANIFEST, target)
    with pytest.raises(DatasetError, match=f"is of data set {DEFINITION.dataset_id}, not {other.dataset_id}"):
        open_dataset(other, copy)


@pytest.mark.parametrize("index", [-1, 10])
def test_a_sample_out_of_range_is_refused(made: Path, index: int) -> None:
    with open_dataset(DEFINITION, made) as dataset, pytest.raises(DatasetError, match="samples 0 to 9"):
        dataset.read([index])


def test_too_small_a_disk_is_refused_before_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6 - 1000, 1000))
    with pytest.raises(DatasetError, match=r"3 missing shards .* GB free; free some"):
        complete(DEFINITION, tmp_path, 0, 1, silent)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="choose another data folder"):
        complete(DEFINITION, tmp_path / "file" / "data", 0, 1, silent)


def test_crops_come_again_under_cube_symmetries_only_when_asked() -> None:
    sizes = {"seed": 1, "num_samples": 60, "num_universes": 1, "resolution": 8, "simulation_side": 16}
    with pytest.raises(DatasetError, match="at least 8 universes"):
        DatasetDefinition(**sizes)
    assert DatasetDefinition(**sizes, reuse=Reuse.CUBE_SYMMETRIES).samples_of(0) == 60


def test_repeated_crops_are_turned_and_all_different(tmp_path: Path) -> None:
    definition = DatasetDefinition(
        seed=1,
        num_samples=48,
        num_universes=1,
        resolution=16,
        redshifts=REDSHIFT_ORDER[:1],
        simulation_side=16,
        num_steps=4,
        force_mesh_factor=1,
        reuse=Reuse.CUBE_SYMMETRIES,
    )
    counts = read_everything(generate(tmp_path, definition), definition)
    assert np.array_equal(counts[0], make_universe(definition.universes, 0).counts[:1])
    assert len({sample.tobytes() for sample in counts}) == 48
    assert len({tuple(np.sort(sample, axis=None)) for sample in counts}) == 1


SCRIPT = """
import os, signal, sys, torch
from pathlib import Path
from cosmology.definition import DatasetDefinition
from cosmology.generation import complete

folder, deadly_sync = Path(sys.argv[1]), int(sys.argv[2])
syncs, sync = [], os.fsync

def sync_or_die(handle):
    syncs.append(handle)
    if len(syncs) == deadly_sync:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(handle)

os.fsync = sync_or_die
torch.set_num_threads(1)
definition = DatasetDefinition(seed=11, num_samples=10, num_universes=3, resolution=8, redshifts=(0.0, 0.5),
    simulation_side=16, num_steps=4, force_mesh_factor=1)
complete(definition, folder, 0, 1, lambda text: None)
"""


def started(folder: Path, deadly_sync: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), str(deadly_sync)])


@pytest.mark.slow
@pytest.mark.parametrize("deadly_sync", [3, 7, 12])
def test_a_killed_generation_continues_to_the_bytes_of_an_undisturbed_one(
    made: Path, tmp_path: Path, deadly_sync: int
) -> None:
    """Each universe syncs eight times: file and folder of its cache, its shard and the record of each."""
    with started(tmp_path, deadly_sync) as process:
        assert process.wait(timeout=120) == -signal.SIGKILL
    assert not is_complete(DEFINITION, tmp_path)
    generate(tmp_path)
    assert digests(tmp_path) == digests(made)


@pytest.mark.slow
def test_two_processes_on_the_same_work_do_not_harm_each_other(made: Path, tmp_path: Path) -> None:
    processes = [started(tmp_path, 0) for _ in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    seal(DEFINITION, tmp_path)
    assert digests(tmp_path) == digests(made)
