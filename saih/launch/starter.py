"""How ranks are started: one Protocol, and the program that every rank runs."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from saih.domain.job import LAUNCHER_VARIABLE
from saih.domain.point import Placement
from saih.domain.site import Site
from saih.machine.rank_settings import CHOSEN_VARIABLE, NAMES, with_settings

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")
_RUNNER = ("-m", "mpi4py")
"""Ends all ranks when one ends with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The launcher's command for a set of ranks, and the environment to run it in."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    has_local_ranks: bool
    """Whether the launcher has a child process here as long as ranks live."""


class Starter(Protocol):
    """Starts a program on every rank of a placement."""

    def start(self, placement: Placement, program: Sequence[str]) -> Start:
        """How to run ``program`` on all ranks, on the first nodes that there are.

        Raises:
            UsageError: when the placement has more nodes than there are.
        """


def worker_program(site: Site, module: str, job_path: Path) -> tuple[str, ...]:
    """What a rank runs to work on a job file: in the site's container, where it has one."""
    python = site.python or sys.executable
    inside = ("apptainer", "exec", *site.container_options, site.container) if site.container else ()
    return (*inside, python, *_RUNNER, "-m", module, str(job_path))


def without_runner(program: Sequence[str]) -> tuple[str, ...]:
    """``program`` of ``worker_program`` for a rank that is alone: there are no others to be ended."""
    words = tuple(program)
    places = range(len(words) - len(_RUNNER) + 1)
    at = next((place for place in places if words[place : place + len(_RUNNER)] == _RUNNER), len(words))
    return words[:at] + words[at + len(_RUNNER) :]


def tethered(program: Sequence[str]) -> tuple[str, ...]:
    """``program`` tied to what starts it on its node: it dies with that, even when that is killed."""
    return (sys.executable, "-m", "saih.launch.tether", str(int(signal.SIGKILL)), "0", *program)


def rank_environment(base: Mapping[str, str], placement: Placement) -> dict[str, str]:
    """``base`` with the thread counts of the placement; the allocator is set where it has none.

    Where no core of a node is left for a thread that waits in MPI, it yields, unless ``base`` says otherwise.
    """
    environment = with_settings(base, yields=_has_no_spare_core(placement))
    environment |= dict.fromkeys(_THREAD_VARIABLES, str(placement.threads_per_rank))
    environment["PYTHONFAULTHANDLER"] = "1"  # a crash in C then shows its Python stack in the log
    if os.geteuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return environment


def _has_no_spare_core(placement: Placement) -> bool:
    """Whether a thread of each rank beside those that compute shares a core; nodes are taken for alike."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores < placement.ranks_per_node * (placement.threads_per_rank + 1)


def exported(environment: Mapping[str, str], site: Site) -> tuple[str, ...]:
    """Names of variables that ranks on other nodes need; a launcher need not pass on what it inherited."""
    names = (
        LAUNCHER_VARIABLE,
        *_THREAD_VARIABLES,
        *NAMES,
        CHOSEN_VARIABLE,
        "PYTHONFAULTHANDLER",
        *_INHERITED,
        *site.environment,
    )
    return tuple(name for name in dict.fromkeys(names) if name in environment)
