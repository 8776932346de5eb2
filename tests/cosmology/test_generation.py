"""Who makes which universes, what is told of it, and what kills and rivals leave."""

import json
import os
import random
import shutil
import signal
import time
from collections import namedtuple
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest

from benchmarks.forked_ranks import started
from benchmarks.generation_kills import digests
from cosmology.definition import DatasetDefinition, DatasetError
from cosmology.durable_file import (
    durable_file,
    read_checked_json,
    remove_leftovers,
    write_checked_json,
)
from cosmology.generation import Resources, _write_if_first, complete, is_complete, seal
from cosmology.hdf5 import provenance
from cosmology.layout import dataset_folder, shard_path
from cosmology.manifest import manifest_path
from cosmology.pace import Pace
from cosmology.universe_file import universe_path
from cosmology.verification import verify
from tests.cosmology.dataset_by_hand import flip_bit

DEFINITION = DatasetDefinition(
    seed=11,
    num_samples=10,
    num_universes=4,
    resolution=8,
    redshifts=(0.0, 0.5),
    simulation_side=16,
    num_steps=4,
    force_mesh_factor=1,
)


def silent(_: str) -> None:
    """Progress for nobody."""


def other_libraries(canonical: Mapping[str, object], device: str) -> str:
    """What a shard says that was made with another numpy, in as many letters."""
    about = provenance(canonical, device)
    numpy = json.loads(about)["versions"]["numpy"]
    return about.replace(numpy, "9" * len(numpy))


def whole(folder: Path) -> Path:
    complete(DEFINITION, folder, 0, 1, silent)
    seal(DEFINITION, folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole(tmp_path_factory.mktemp("made"))


@pytest.mark.parametrize("num_ranks", [1, 2, 3, 7])
def test_each_universe_has_one_rank_that_makes_it(num_ranks: int, tmp_path: Path) -> None:
    told: list[list[str]] = [[] for _ in range(num_ranks)]
    for rank in range(num_ranks):
        complete(DEFINITION, tmp_path, rank, num_ranks, told[rank].append)
    assert sum(len(each) for each in told) == DEFINITION.num_universes
    assert max(len(each) for each in told) - min(len(each) for each in told) <= 1


def test_a_rank_tells_how_fast_it_is_and_how_much_time_is_left(tmp_path: Path) -> None:
    """Each look at the clock finds it 2 s later; a universe takes one look before and one after it."""
    moments = count(0, 2 * 10**9)
    told: list[str] = []
    complete(DEFINITION, tmp_path, 0, 1, told.append, resources=Resources(clock=lambda: next(moments)))
    rate = 16**3 * 4 / 2 / 1e6
    assert told[0] == (
        f"universe 000000 is ready (1 of 4 on rank 0; {rate:.3g} M particle-steps/s, 12 s left)"
    )
    assert told[3] == f"universe 000003 is ready (4 of 4 on rank 0; {rate:.3g} M particle-steps/s)"


@pytest.mark.parametrize(("left_s", "words"), [(80, "80 s left"), (600, "10 min left"), (7200, "2.0 h left")])
def test_time_left_is_told_in_its_own_unit(left_s: int, words: str) -> None:
    pace = Pace(num_particle_steps=0, duration_ns=5, elapsed_ns=left_s * 10**9, num_done=3, num_left=3)
    assert str(pace) == words


def test_a_disk_that_holds_the_part_of_a_rank_but_not_all_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 2 * (DEFINITION.shard_disk_bytes + DEFINITION.universes.universe_bytes)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - free, free))
    with pytest.raises(DatasetError, match="4 missing shards"):
        complete(DEFINITION, tmp_path, 0, 4, silent)


def test_what_another_writer_finishes_meanwhile_is_not_made_again(made: Path, tmp_path: Path) -> None:
    """The other writer makes everything while this one has told of its first universe."""
    moments: list[dict[Path, int]] = []

    def progress(text: str) -> None:
        if not moments:
            complete(DEFINITION, tmp_path, 0, 1, silent)
        moments.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.h5")})

    complete(DEFINITION, tmp_path, 0, 1, progress)
    assert len(moments) == 4
    assert moments[0] == moments[-1]
    seal(DEFINITION, tmp_path)
    assert digests(tmp_path) == digests(made)


def test_a_file_that_another_writer_finishes_first_is_as_good(tmp_path: Path) -> None:
    """What this writer had begun is cleared away by the other, and can neither be measured nor renamed."""

    def write() -> None:
        with durable_file(tmp_path / "file") as temporary:
            (tmp_path / "file").write_bytes(b"of the other")
            remove_leftovers(tmp_path / "file")
            temporary.stat()

    _write_if_first(write, (tmp_path / "file").exists)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(DatasetError, match="could not be written"):
        _write_if_first(write, (tmp_path / "absent").exists)


def test_a_rank_without_work_left_makes_nothing(made: Path) -> None:
    told: list[str] = []
    shutil.rmtree(dataset_folder(made, DEFINITION))
    complete(DEFINITION, made, 0, 2, silent)
    complete(DEFINITION, made, 0, 2, told.append)
    assert told == []
    seen = [shard_path(dataset_folder(made, DEFINITION), universe).exists() for universe in range(4)]
    assert seen == [True, False, True, False]
    whole(made)


def test_a_shard_that_other_libraries_made_anew_is_known_to_the_manifest(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are as many as before, but others."""
    place = dataset_folder(Path(shutil.copytree(made, tmp_path / "copy")), DEFINITION)
    shard, manifest = shard_path(place, 1), manifest_path(place)
    before, written = shard.read_bytes(), manifest.stat().st_mtime_ns
    seal(DEFINITION, tmp_path / "copy")
    assert manifest.stat().st_mtime_ns == written
    shard.unlink()
    monkeypatch.setattr("cosmology.universe_shard.provenance", other_libraries)
    whole(tmp_path / "copy")
    assert len(shard.read_bytes()) == len(before)
    assert shard.read_bytes() != before
    assert not [damage for check in verify(place) for damage in check.damages]


@pytest.mark.parametrize("is_cleared", [False, True])
def test_what_a_record_says_of_bytes_that_are_not_there_is_not_believed(
    made: Path, tmp_path: Path, *, is_cleared: bool
) -> None:
    place = dataset_folder(Path(shutil.copytree(made, tmp_path / "copy")), DEFINITION)
    content = read_checked_json(shard_path(place, 1).with_suffix(".json"))
    about = {**content["file"], "sha256": 64 * "0"}
    write_checked_json(shard_path(place, 1).with_suffix(".json"), {**content, "file": about})
    if is_cleared:
        shard_path(place, 2).with_suffix(".json").unlink()
    before = manifest_path(place).read_bytes()
    seal(DEFINITION, tmp_path / "copy")
    assert manifest_path(place).read_bytes() == before


def test_a_shard_that_another_writer_finished_during_a_simulation_is_not_replaced(
    made: Path, tmp_path: Path
) -> None:
    """The other writer is done before this one, which found a damaged universe, has simulated it anew."""
    copy = Path(shutil.copytree(made, tmp_path / "copy"))
    shard = shard_path(dataset_folder(copy, DEFINITION), 0)
    universe = universe_path(copy, DEFINITION.universes, 0)
    shard.unlink()
    flip_bit(universe, 1000)
    inodes: list[int] = []

    def progress(text: str) -> None:
        if "made anew" in text:
            complete(DEFINITION, copy, 0, 1, silent)
            inodes.append(shard.stat().st_ino)

    complete(DEFINITION, copy, 0, 1, progress)
    assert inodes == [shard.stat().st_ino]
    seal(DEFINITION, copy)
    assert digests(copy) == digests(made)


@pytest.mark.slow
def test_generation_killed_at_random_moments_ends_in_the_bytes_of_an_undisturbed_one(
    made: Path, tmp_path: Path
) -> None:
    chance = random.Random(1)
    for _ in range(3):
        process = started(whole, tmp_path)
        time.sleep(chance.uniform(0.0, 0.15))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    whole(tmp_path)
    assert is_complete(DEFINITION, tmp_path)
    assert digests(tmp_path) == digests(made)
