import re
import sys
from pathlib import Path

import pytest

from saih.domain.errors import EnvironmentMissing
from saih.machine.mpi_libraries import (
    check_launcher,
    check_one_library,
    family_of,
    library_of_mpi4py,
    mpi_libraries,
)

TEXTS = {
    "mpirun (Open MPI) 5.0.11": ("Open MPI", 5),
    "mpirun (Open MPI) 4.1.4": ("Open MPI", 4),
    "Open MPI v5.0.11, package: Open MPI user@localhost Distribution": ("Open MPI", 5),
    "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4, repo rev: v4.1.4, May 26, 2022": ("Open MPI", 4),
    "mpirun (OpenRTE) 4.0.3": ("Open MPI", 4),
    "HYDRA build details:\n    Version:                                 4.2.3": ("MPICH", 4),
    "MPICH Version:      4.2.3\nMPICH Release date: Tue Oct": ("MPICH", 4),
    "Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230307": ("MPICH", 2021),
    "Intel(R) MPI Library 2021.9 for Linux* OS": ("MPICH", 2021),
    "MPI VERSION    : CRAY MPICH version 8.1.27.26 (ANL base 3.4a2)": ("MPICH", 8),
    "MVAPICH2 Version      :\t2.3.7": ("MPICH", 2),
    "srun: slurm 22.05.8": None,
    "": None,
}
MAPPED = "7f1{0:x}-7f2 r-xp 00000000 08:01 {0}                          {1}"


@pytest.mark.parametrize("text", TEXTS)
def test_version_texts_name_their_mpi(text: str) -> None:
    assert family_of(text) == TEXTS[text]


@pytest.mark.parametrize(
    ("launcher", "library"),
    [
        ("mpirun (Open MPI) 5.0.11", "Open MPI v5.0.3, package: x"),
        ("HYDRA build details:\n    Version:   4.2.3", "Intel(R) MPI Library 2021.9 for Linux* OS"),
        ("flux 0.50", "Open MPI v5.0.3, package: x"),
    ],
)
def test_a_launcher_of_the_same_mpi_is_accepted(launcher: str, library: str) -> None:
    check_launcher(launcher, library)


@pytest.mark.parametrize(
    ("launcher", "library"),
    [
        ("mpirun (Open MPI) 5.0.11", "MPICH Version:      4.2.3"),
        ("HYDRA build details:\n    Version:   4.2.3", "Open MPI v5.0.11, package: x"),
        ("mpirun (Open MPI) 4.1.4", "Open MPI v5.0.11, package: x"),
    ],
)
def test_a_launcher_of_another_mpi_is_refused_with_both_names(launcher: str, library: str) -> None:
    with pytest.raises(EnvironmentMissing, match="mixed") as caught:
        check_launcher(launcher, library)
    assert launcher.splitlines()[0] in caught.value.problem
    assert library in caught.value.problem


def test_mpi_libraries_are_told_from_their_neighbours() -> None:
    paths = [
        "/opt/a/libmpi.so.40.40.11",
        "/opt/a/libmpi.so.40.40.11",
        "/opt/b/libmpich.so.12",
        "/opt/cray/libmpi_gnu_91.so.12",
        "/opt/a/libmpi_mpifh.so.40",
        "/opt/a/libmpifort.so.12",
        "/opt/a/libmpicxx.so.12",
        "/home/a user/libmpi.so.12",
        "/lib/libc.so.6",
    ]
    lines = [*(MAPPED.format(number, path) for number, path in enumerate(paths)), "7f3-7f4 rw-p 0 00:00 0"]
    assert mpi_libraries(lines) == (
        "/home/a user/libmpi.so.12",
        "/opt/a/libmpi.so.40.40.11",
        "/opt/b/libmpich.so.12",
        "/opt/cray/libmpi_gnu_91.so.12",
    )


def test_this_process_has_one_mpi_library() -> None:
    from mpi4py import MPI  # noqa: PLC0415  # its library is what is looked for

    check_one_library()
    found = mpi_libraries(Path("/proc/self/maps").read_text().splitlines())
    assert len(found) == 1, (sys.executable, MPI.Get_version())


@pytest.mark.slow
def test_mpi4py_tells_its_library_in_a_process_of_its_own() -> None:
    assert re.search(r"MPI", library_of_mpi4py())
    assert family_of(library_of_mpi4py()) is not None
