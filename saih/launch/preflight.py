"""What would keep jobs from running, found before anything is submitted: all of it at once."""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.point import Placement
from saih.domain.site import SchedulerName, Site
from saih.launch import slurm
from saih.launch.mpirun import find_launcher
from saih.launch.preflight_partition import partition_problems
from saih.launch.scheduler_call import require_command
from saih.launch.site_environment import allocation_around

_COMMANDS: Mapping[SchedulerName, tuple[str, ...]] = {
    "slurm": ("sbatch", "squeue", "scancel", "sinfo", "scontrol"),
    "pbs": ("qsub",),
    "lsf": ("bsub",),
    "flux": ("flux",),
}
"""What submitting calls; without one of them, it would end in its middle."""


def check(
    site: Site,
    placements: Sequence[Placement],
    folders: Sequence[Path] = (),
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Refuse what this site cannot run: ``placements`` to measure, ``folders`` that jobs are to write in.

    Raises:
        UsageError: with everything that was found.
        EnvironmentMissing: when the scheduler's commands are not here.
        SchedulerSilentError: when the scheduler does not answer.
    """
    if site.scheduler == "local":
        return
    found = [*_surrounding_problems(environ), *_folder_problems(folders), *_program_problems(site)]
    if site.scheduler == "slurm":
        found += partition_problems(site, placements, slurm.partitions(), _resolves)
    if found:
        count = "1 thing keeps" if len(found) == 1 else f"{len(found)} things keep"
        lines = "\n".join(f"  {problem}" for problem in found)
        raise UsageError(
            f"{count} this sweep from running at {site.name}:\n{lines}",
            "correct these in the sweep or the site file. Nothing was submitted.",
        )
    for name in _COMMANDS[site.scheduler]:
        require_command(name)


def _surrounding_problems(environ: Mapping[str, str]) -> Iterator[str]:
    around = allocation_around(environ)
    if around is not None:
        yield (
            f"this is inside of a job ({around}): submit from a login node, or measure in here by "
            "`--scheduler local`."
        )


def _folder_problems(folders: Sequence[Path]) -> Iterator[str]:
    for folder in dict.fromkeys(folders):
        whole = folder.absolute()
        nearest = next(path for path in (whole, *whole.parents) if path.exists() or path.is_symlink())
        if not nearest.is_dir():
            yield f"{nearest} is not a folder, so {folder} cannot be made: name another one."
        elif not os.access(nearest, os.W_OK | os.X_OK):
            yield f"{nearest} is not writable for you, and {folder} is to be written: name another one."


def _program_problems(site: Site) -> Iterator[str]:
    if site.container and not Path(site.container).exists():
        yield f"there is no container image {site.container}: correct `container` in the site file."
    if site.starter == "srun":
        plugins = slurm.mpi_plugins()
        if site.srun_mpi not in plugins:
            yield (
                f"srun has no plugin {site.srun_mpi!r} for MPI: set `srun_mpi` to one of "
                f"{', '.join(plugins) or 'none (it offers nothing)'}, or `starter: mpirun`."
            )
    elif not site.modules:  # what modules bring is there only after they are loaded
        try:
            find_launcher(site)
        except EnvironmentMissing as error:
            yield f"{error.problem.rstrip('.')}: {error.remedy}"


def _resolves(address: str) -> bool:
    """Whether this machine finds the address of a node."""
    try:
        socket.getaddrinfo(address, None)
    except (OSError, UnicodeError):
        return False
    return True
