"""``saih data`` over real data sets: what it shows, verifies, exports and imports."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Saih

from cosmology.definition import DatasetDefinition
from cosmology.generation import complete, seal

TRAIN = DatasetDefinition(
    seed=3, num_samples=5, num_universes=2, resolution=8, simulation_side=16, num_steps=4, force_mesh_factor=1
)
SHARD = f"data/dataset-{TRAIN.dataset_id}/shard-000001.h5"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    complete(TRAIN, folder / "data", 0, 1, lambda _: None)
    seal(TRAIN, folder / "data")
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def saih(capsys: pytest.CaptureFixture[str]) -> Saih:
    return Saih(capsys)


@pytest.mark.usefixtures("home")
def test_info_shows_data_sets_and_what_is_not_finished(home: Path, saih: Saih) -> None:
    (home / "data" / "dataset-0123456789abcdef").mkdir()
    said = saih("data", "info")
    assert said.exit_code == 0
    for words in (TRAIN.dataset_id, "4 x 8^3", "mean of log(1 + counts)", "16^3 in 288 Mpc/h", "2 universes"):
        assert words in said.out
    assert "dataset-0123456789abcdef: 0 shards, 0 B; not finished" in said.out
    document = saih("data", "info", "--json").document
    (one,) = document["data_sets"]
    assert one["dataset_id"] == TRAIN.dataset_id
    assert (one["num_samples"], one["sample_shape"]) == (5, [4, 8, 8, 8])
    assert one["raw_bytes"] == 5 * (4 * 512 * 2 + 16)
    assert one["disk_bytes"] == sum(path.stat().st_size for path in home.glob("data/dataset-*/shard-*.h5"))
    assert one["definition"]["seed"] == 3
    assert [len(one["channel_mean"]), len(one["channel_std"])] == [4, 4]
    assert document["unfinished"][0]["num_files"] == 0
    assert document["universes"][0]["num_files"] == 2


@pytest.mark.usefixtures("home")
def test_a_whole_folder_verifies(saih: Saih) -> None:
    said = saih("data", "verify")
    assert (said.exit_code, "nothing is damaged" in said.out) == (0, True)
    document = saih("data", "verify", "--json").document
    assert document["is_whole"]
    assert (document["num_data_sets"], document["num_samples"], document["damages"]) == (1, 5, [])


def test_every_damage_is_listed_and_ends_with_4(home: Path, saih: Saih) -> None:
    damaged = [home / SHARD, next(home.glob("data/universes-*/universe-000000.h5"))]
    for path in damaged:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    (home / "data" / f"dataset-{TRAIN.dataset_id}" / "shard-000000.h5").unlink()
    assert saih("data", "verify", "--bytes-only").exit_code == 4
    said = saih("data", "verify", "--json")
    assert said.exit_code == 4
    named = {Path(damage["path"]).name for damage in said.document["damages"]}
    assert named == {"shard-000000.h5", "shard-000001.h5", "universe-000000.h5"}
    said = saih("data", "verify", TRAIN.dataset_id[:6])
    assert said.exit_code == 4
    assert "shard-000001.h5" in said.out
    assert "universe-000000.h5" not in said.out


def test_a_universe_that_is_not_finished_is_told_and_is_no_damage(home: Path, saih: Saih) -> None:
    next(home.glob("data/universes-*/universe-000001.json")).unlink()
    said = saih("data", "verify")
    assert said.exit_code == 0
    assert "/universe-000001.h5: not finished, so not verified" in said.out
    (name,) = saih("data", "verify", "--json").document["unfinished"]
    assert name.endswith("/universe-000001.h5")


def test_a_data_set_goes_out_and_comes_back(home: Path, saih: Saih) -> None:
    said = saih("data", "export", "--output", "out", "--validation", "1", "--level", "1", "--json")
    assert said.exit_code == 0
    assert (said.document["num_train"], said.document["num_validation"]) == (3, 2)
    assert len(list(home.glob("out/train/*.tfrecord"))) == 3
    said = saih("data", "import", "out", "--data-folder", "other", "--json")
    assert said.exit_code == 0
    imported = {one["split"]: one["num_samples"] for one in said.document["data_sets"]}
    assert imported == {"train": 3, "validation": 2}
    assert saih("data", "verify", "--data-folder", "other").exit_code == 0
    said = saih("data", "info", "--data-folder", "other")
    assert said.out.count("imported cosmoflow_tfrecord") == 2
    again = saih("data", "import", "out", "--data-folder", "other")
    assert sorted(again.out.splitlines()) == sorted(
        str(path.relative_to(home)) for path in home.glob("other/dataset-*")
    )


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("info", "--data-folder", "nowhere"), 2, "there is no data folder 'nowhere'"),
        (("verify", "f00"), 2, f"'f00' is no data set; there are: {TRAIN.dataset_id}"),
        (("export",), 2, "--output"),
        (("export", "--output", "out", "--validation", "2"), 2, "leave none to train on"),
        (("import", "nowhere"), 2, "there is no folder 'nowhere'"),
        (("import", "data"), 4, "give"),
        (("import", "data", "--redshifts", "0,x"), 2, "--redshifts is '0,x'"),
        (("export", "--output", "out", "--part", "half"), 2, "--part is 'half'"),
        (("import", "data", "--part", "3/2"), 2, "count parts from 1 to 2"),
        (("repair",), 2, "No such command 'repair'"),
    ],
)
def test_what_cannot_be_done_is_told(
    saih: Saih, arguments: tuple[str, ...], exit_code: int, words: str
) -> None:
    said = saih("data", *arguments)
    assert said.exit_code == exit_code
    assert words in said.err


def test_the_verbs_need_no_torch(home: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from saih.cli import run\n"
        "there = [['info'], ['verify'], ['export', '--output', 'out']]\n"
        "words = [*there, ['import', 'out', '--data-folder', 'in']]\n"
        "sys.exit(max(run(['data', *more]) for more in words))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", program], cwd=home, check=True, env=environment)


def test_a_codec_that_is_missing_is_no_damage(home: Path) -> None:
    program = (
        "import sys; sys.modules['hdf5plugin'] = None\n"
        "from saih.cli import run\n"
        "assert run(['data', 'verify', '--bytes-only']) == 0\n"
        "assert run(['data', 'verify', '--json']) == 3"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "HDF5_PLUGIN_PATH": str(home / "none"),
    }
    subprocess.run([sys.executable, "-c", program], cwd=home, check=True, env=environment)
