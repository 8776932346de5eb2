"""The checks of ``saih doctor --site``: whether sweeps can be submitted from here, before any is."""

import shutil
from functools import partial

from saih.commands.choice import Folders
from saih.commands.examination import Finding, examine_login, finding
from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.point import Placement
from saih.domain.site import Site
from saih.launch import slurm
from saih.launch.preflight import check
from saih.launch.slurm_text import Partition
from saih.planner.limits import in_bytes

_COMMANDS = {"slurm": "sbatch", "pbs": "qsub", "lsf": "bsub", "flux": "flux"}
_ONE_RANK = Placement()


def examine_site(site: Site, folders: Folders) -> tuple[Finding, ...]:
    """Every check, in the order in which submitting a sweep would fail."""
    checks = [*examine_login(folders), finding("submitting", partial(_command, site))]
    if site.scheduler == "slurm":
        checks.append(finding("partition", partial(_partition, site)))
    return (*checks, finding("one rank on one node", partial(_ready, site, folders)))


def _command(site: Site) -> str:
    name = _COMMANDS[site.scheduler]
    found = shutil.which(name)
    if found is None:
        raise EnvironmentMissing(
            f"there is no command {name} here",
            f"run this on a login node of {site.name}, load its module, or correct `scheduler`.",
        )
    return found


def _partition(site: Site) -> str:
    partitions = slurm.partitions()
    named = [
        one for one in partitions if one.name == site.partition or (not site.partition and one.is_default)
    ]
    if not named:
        valid = ", ".join(one.name for one in partitions) or "none"
        raise UsageError(f"no partition {site.partition or 'by default'}", f"name one of {valid}.")
    return _described(named[0])


def _described(partition: Partition) -> str:
    """A partition in words, by its largest node."""
    limit = "without limit" if partition.max_time_s is None else f"up to {partition.max_time_s / 3600:g} h"
    if not partition.nodes:
        return f"{partition.name}: no nodes, jobs {limit}"
    best = max(partition.nodes, key=lambda node: (node.gpus, node.cores))
    gpus = f", {best.gpus} GPUs" if best.gpus else ""
    return (
        f"{partition.name}: {len(partition.nodes)} nodes, {best.cores} cores, "
        f"{in_bytes(best.memory_bytes)}{gpus}, jobs {limit}"
    )


def _ready(site: Site, folders: Folders) -> str:
    check(site, [_ONE_RANK], [folders.results, folders.data, folders.reports])
    by = f"srun --mpi={site.srun_mpi}" if site.starter == "srun" else "mpirun"
    return f"can be submitted; {by} starts it" + (f" in {site.container}" if site.container else "")
