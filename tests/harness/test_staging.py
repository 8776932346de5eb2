"""Data sets copied to nodes: what is copied, checked, refused, noted, and removed."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mpi4py import MPI

from augment.problem import Problem
from cosmology.dataset import open_dataset
from saih.domain.errors import EnvironmentMissing
from saih.domain.point import Timing
from saih.domain.staged import Staged, staged_notes, staged_of
from saih.domain.supply import Supply
from saih.harness.ranks import Ranks, host_name
from saih.harness.staging import Staging, reading_of
from saih.harness.staging_folder import staging_folder
from tests.harness.staged_points import PROBLEM, asked, placement_of
from workloads.cosmoflow.batches import BatchOrder
from workloads.cosmoflow.problem_data import definition_of
from workloads.cosmoflow.stored import universes_read
from workloads.cosmoflow.training import CosmoFlowJob
from workloads.stored_files import Reading, StoredFile

ALONE = placement_of(1, 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, job = tmp_path_factory.mktemp("data"), CosmoFlowJob()
    job.generate(PROBLEM, path, 0, 1, lambda text: None)
    job.seal(PROBLEM, path)
    return path


def alone() -> Ranks:
    return Ranks(comm=MPI.COMM_SELF, hosts=(host_name(),), first_ranks=(0,), device="cpu")


def staging(base: Path) -> Staging:
    return Staging(alone(), base, lambda place: None)


def test_copies_are_whole_serve_as_the_data_folder_and_go_away(data: Path, tmp_path: Path) -> None:
    definition, point = definition_of(PROBLEM), asked(ALONE)
    with staging(tmp_path) as stage:
        folder = stage.stage(point, CosmoFlowJob(), data)
        assert tmp_path in folder.parents
        copies = [path for path in folder.rglob("*") if path.is_file()]
        assert not [path for path in copies if path.is_symlink()]
        with open_dataset(definition, folder) as copied, open_dataset(definition, data) as original:
            assert np.array_equal(copied.read(range(8))[0], original.read(range(8))[0])
        staged = staged_of(stage.notes(point))
        assert staged is not None
        assert staged.num_bytes == staged.stored_bytes == sum(path.stat().st_size for path in copies)
        assert stage.stage(point, CosmoFlowJob(), data) == folder  # nothing is copied twice
        assert staged_of(stage.notes(point)) == staged
    assert not folder.exists()


def test_only_what_ranks_read_in_their_steps_is_copied(data: Path, tmp_path: Path) -> None:
    few = replace(PROBLEM, data=PROBLEM.data.with_sizes({"samples": 1000, "universes": 500}))
    job = CosmoFlowJob()
    reading = Reading(ranks=(0,), num_replicas=4, ranks_per_replica=1, batch=2, seed=1, num_steps=10)
    definition = definition_of(few)
    order = BatchOrder(seed=1, num_samples=1000, batch_per_rank=2, num_ranks=4)
    samples = {int(sample) for step in range(10) for sample in order.indices(step, 0)}
    assert universes_read(definition, reading) == {definition.place_of(sample)[0] for sample in samples}
    everything = replace(reading, num_steps=None)
    assert universes_read(definition, everything) == set(definition.universe_numbers)
    assert all(file.is_read for file in job.files(PROBLEM, data, everything))


def test_files_that_are_not_read_are_links(data: Path, tmp_path: Path) -> None:
    class Choosy(CosmoFlowJob):
        def files(self, problem: Problem, data_folder: Path, reading: Reading) -> Sequence[StoredFile]:
            files = super().files(problem, data_folder, reading)
            return [replace(file, is_read=number < 3) for number, file in enumerate(files)]

    with staging(tmp_path) as stage:
        folder = stage.stage(asked(ALONE), Choosy(), data)
        assert sum(path.is_symlink() for path in folder.glob("dataset-*/*")) == 2
        with open_dataset(definition_of(PROBLEM), folder) as copied:
            assert len(copied.read(range(8))[0]) == 8
        # A later point reads everything: links become copies.
        stage.stage(asked(ALONE), CosmoFlowJob(), data)
        assert not [path for path in folder.rglob("*") if path.is_symlink()]


def test_a_file_that_is_not_what_the_manifest_says_fails_the_point(data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "data"))
    shard = next(copy.rglob("shard-000003.h5"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    with staging(tmp_path / "node") as stage, pytest.raises(EnvironmentMissing, match=r"000003.*SHA-256"):
        stage.stage(asked(ALONE), CosmoFlowJob(), copy)


def test_a_node_without_room_is_refused_before_anything_is_copied(data: Path, tmp_path: Path) -> None:
    class Huge(CosmoFlowJob):
        def files(self, problem: Problem, data_folder: Path, reading: Reading) -> Sequence[StoredFile]:
            files = super().files(problem, data_folder, reading)
            return [replace(file, num_bytes=10**18) for file in files]

    with staging(tmp_path) as stage:
        with pytest.raises(EnvironmentMissing, match=r"staging needs 5\.00.EB") as caught:
            stage.stage(asked(ALONE), Huge(), data)
        assert "TMPDIR" in caught.value.remedy
        assert not list(tmp_path.rglob("*.h5"))


def test_points_that_ask_for_no_staging_read_the_data_folder(data: Path, tmp_path: Path) -> None:
    plain = replace(asked(ALONE), supply=Supply())
    with staging(tmp_path) as stage:
        assert stage.stage(plain, CosmoFlowJob(), data) == data
        assert stage.notes(plain) == {}
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_goes_away_at_the_next_start_and_what_lives_stays(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\n"
        "from saih.harness.staging_folder import staging_folder\n"
        "with staging_folder(Path(sys.argv[1]), sys.argv[2]) as folder:\n"
        "    (folder / 'shard').write_bytes(bytes(1000))\n    print(folder, flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with (
        subprocess.Popen([*command, "killed"], stdout=subprocess.PIPE, text=True) as killed,
        subprocess.Popen([*command, "alive"], stdout=subprocess.PIPE, text=True) as alive,
    ):
        assert killed.stdout is not None
        assert alive.stdout is not None
        left, kept = (Path(one.readline().strip()) for one in (killed.stdout, alive.stdout))
        killed.send_signal(signal.SIGKILL)
        killed.wait(30)
        assert left.is_dir()
        with staging_folder(tmp_path, "next") as own:
            assert own.is_dir()
            assert not left.exists()
            assert kept.is_dir()
        alive.kill()
    assert not own.exists()


def test_a_place_that_is_somebody_elses_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"saih-staging-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(EnvironmentMissing, match="no folder of this user"), staging_folder(tmp_path, "own"):
        pass


def test_a_base_that_cannot_hold_folders_is_refused_with_what_would_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(EnvironmentMissing, match="no data can be staged"),
        staging_folder(tmp_path / "file", "own"),
    ):
        pass


def test_rates_with_staging_inside_grow_with_the_epochs_and_never_reach_those_without() -> None:
    staged = Staged(duration_s=10.0, num_bytes=500, stored_bytes=1000, num_nodes=2)
    assert staged.bytes_per_s == 50.0
    assert staged.samples_per_s(100.0, 1000, 1) == pytest.approx(1000 / (10 + 20))
    rates = [staged.samples_per_s(100.0, 1000, epochs) for epochs in (1, 10, 1000)]
    assert rates == sorted(rates)
    assert rates[-1] < 100.0


@pytest.mark.parametrize(
    "change", [{"staging_s": "nan"}, {"staging_s": "inf"}, {"staging_s": "-1"}, {"staged_bytes": "x"}]
)
def test_notes_that_cannot_be_are_no_staging(change: dict[str, str]) -> None:
    whole = staged_notes(Staged(duration_s=1.5, num_bytes=3, stored_bytes=4, num_nodes=1))
    assert staged_of(whole) is not None
    assert staged_of({**whole, **change}) is None
    assert staged_of({}) is None


def test_steps_beyond_those_of_a_point_are_staged_too(data: Path) -> None:
    reading = reading_of(asked(ALONE, Timing(warmup_steps=3, max_steps=50)), (0,))
    assert reading.num_steps is not None
    assert reading.num_steps > 53


@pytest.mark.slow
def test_hosts_have_copies_that_their_ranks_share_and_fail_together(data: Path, tmp_path: Path) -> None:
    program = Path(__file__).with_name("staging_ranks.py")
    environ = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    environ |= {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [str(Path(sys.executable).with_name("mpirun")), "-n", "2", "--map-by", "slot:OVERSUBSCRIBE"]
    command += ["--bind-to", "none", sys.executable, str(program), str(tmp_path), str(data)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = json.loads(done.stdout.splitlines()[-1])
    for one in (first, second):
        assert (one["two hosts"]["error"], one["one host"]["error"]) == ("", "")
        assert (one["two hosts"]["shards"], one["one host"]["shards"]) == (4, 4)
        assert (one["two hosts"]["staging_nodes"], one["one host"]["staging_nodes"]) == ("2", "1")
        assert "could not be staged on host1" in one["no place"]["error"]
    assert first["two hosts"]["folder"] != second["two hosts"]["folder"]
    assert first["one host"]["folder"] == second["one host"]["folder"]
    assert first["two hosts"]["staged_bytes"] == first["one host"]["staged_bytes"]
    assert not list(tmp_path.rglob("*.h5"))
