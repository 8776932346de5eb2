"""One rank needs no MPI: who decides so, what is started then, and what is refused."""

import shlex
import sys
from pathlib import Path

import pytest

from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.job import ALONE, LAUNCHER_VARIABLE
from saih.domain.point import Placement
from saih.domain.site import Site
from saih.launch.mpirun import LocalMpirun
from saih.launch.starter import without_runner, worker_program
from saih.launch.starter_alone import Alone, find_starter

ONE, TWO = Placement(threads_per_rank=3), Placement(ranks_per_node=2, data_parallel=2)
PROGRAM = worker_program(Site(), "saih.worker", Path("/a b/job-1.json"))


def without_mpi(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(folder))


def test_where_there_is_a_launcher_it_starts_one_rank_too() -> None:
    assert isinstance(find_starter([ONE], Site()), LocalMpirun)


def test_one_rank_is_started_without_mpi_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_mpi(monkeypatch, tmp_path)
    start = find_starter([ONE], Site(environment={"COLOUR": "blue"})).start(ONE, PROGRAM)
    assert start.command[-4:] == (PROGRAM[0], "-m", "saih.worker", "/a b/job-1.json")
    assert "mpi4py" not in shlex.join(start.command)
    assert start.environment[LAUNCHER_VARIABLE] == ALONE
    assert start.environment["OMP_NUM_THREADS"] == "3"
    assert start.environment["COLOUR"] == "blue"


def test_several_ranks_need_mpi_whatever_else_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_mpi(monkeypatch, tmp_path)
    with pytest.raises(EnvironmentMissing, match="no MPI launcher"):
        find_starter([ONE, TWO], Site())


def test_who_wants_no_mpi_gets_none_and_several_ranks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LAUNCHER_VARIABLE, ALONE)
    starter = find_starter([ONE, TWO], Site())
    assert isinstance(starter, Alone)
    with pytest.raises(UsageError, match=r"2 ranks .* without MPI there is one") as caught:
        starter.start(TWO, PROGRAM)
    assert "unset SAIH_LAUNCHER" in caught.value.remedy


def test_torch_is_missed_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_mpi(monkeypatch, tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)  # how the import system notes that there is none
    with pytest.raises(EnvironmentMissing, match="torch is not installed"):
        find_starter([ONE], Site())


def test_the_runner_of_mpi4py_is_left_out_inside_of_containers_too() -> None:
    program = worker_program(Site(container="/i.sif"), "saih.worker", Path("j"))
    assert without_runner(program)[-4:] == (program[-6], "-m", "saih.worker", "j")
    assert without_runner(without_runner(program)) == without_runner(program)
