"""How ranks are started on the nodes of an allocation: by mpirun or by srun, on the first nodes of it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from saih.domain.errors import UsageError
from saih.domain.job import LAUNCHER_VARIABLE
from saih.domain.point import Placement
from saih.domain.site import Site
from saih.launch.mpirun import Launcher
from saih.launch.starter import Start, exported, rank_environment, tethered


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationMpirun:
    """Starts ranks by the mpirun of Open MPI or MPICH, which finds out itself how to reach other nodes."""

    launcher: Launcher
    site: Site
    nodes: tuple[str, ...]

    def start(self, placement: Placement, program: Sequence[str]) -> Start:
        """The launcher's command on the first nodes; UsageError when there are too few."""
        nodes = _first(self.nodes, placement)
        environment = rank_environment({**os.environ, **self.site.environment}, placement)
        environment[LAUNCHER_VARIABLE] = self.launcher.family
        if self.launcher.family == "mpich":
            options = _hydra_options(nodes, placement)
        else:
            names = exported(environment, self.site)
            # Names only: values on a command line are seen by everybody on the node.
            options = (
                *_openmpi_options(nodes, placement),
                *(part for name in names for part in ("-x", name)),
            )
        return Start(
            command=(str(self.launcher.path), "-n", str(placement.num_ranks), *options, *tethered(program)),
            environment=environment,
            has_local_ranks=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationSrun:
    """Starts ranks as a step of a Slurm job."""

    site: Site
    nodes: tuple[str, ...]
    cores_per_node: int | None
    """CPUs of each node that the job may use, as Slurm counts them; None when it does not say."""

    def start(self, placement: Placement, program: Sequence[str]) -> Start:
        """The srun command on the first nodes; UsageError when there are too few."""
        nodes = _first(self.nodes, placement)
        wanted = placement.ranks_per_node * placement.threads_per_rank
        is_crowded = self.cores_per_node is not None and wanted > self.cores_per_node
        options = [
            f"--nodes={placement.nodes}",
            f"--ntasks={placement.num_ranks}",
            f"--ntasks-per-node={placement.ranks_per_node}",
            f"--nodelist={','.join(nodes)}",
            f"--mpi={self.site.srun_mpi}",
            "--kill-on-bad-exit=1",
            "--distribution=block",
            # Beside the batch script, which waits meanwhile, and with all memory of the job.
            "--overlap",
            "--mem=0",
            "--export=ALL",
            "--unbuffered",
            f"--cpu-bind={'cores' if placement.binding == 'core' else 'none'}",
        ]
        options += ["--overcommit"] if is_crowded else [f"--cpus-per-task={placement.threads_per_rank}"]
        options += ["--exact"] if placement.binding == "core" else []
        options += [f"--gpus-per-node={placement.gpus_per_node}"] if placement.gpus_per_node else []
        return Start(
            command=("srun", *options, *tethered(program)),
            environment=rank_environment({**_without_launcher(), **self.site.environment}, placement),
            has_local_ranks=False,
        )


def _without_launcher() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != LAUNCHER_VARIABLE}


def _first(nodes: tuple[str, ...], placement: Placement) -> tuple[str, ...]:
    """The nodes of a placement: always the first ones, so that placements of one allocation compare."""
    if placement.nodes > len(nodes):
        raise UsageError(
            f"the placement asks for {placement.nodes} nodes, but the allocation has {len(nodes)}: "
            f"{' '.join(nodes)}.",
            "ask the scheduler for as many nodes as the largest placement has.",
        )
    return nodes[: placement.nodes]


def _openmpi_options(nodes: Sequence[str], placement: Placement) -> tuple[str, ...]:
    per_node = placement.ranks_per_node
    hosts = ",".join(f"{node}:{per_node}" for node in nodes)
    if placement.binding == "core":
        mapping = f"ppr:{per_node}:node:PE={placement.threads_per_rank}"
        return ("--host", hosts, "--map-by", mapping, "--bind-to", "core")
    return ("--host", hosts, "--map-by", f"ppr:{per_node}:node:OVERSUBSCRIBE", "--bind-to", "none")


def _hydra_options(nodes: Sequence[str], placement: Placement) -> tuple[str, ...]:
    bound = ("-bind-to", f"core:{placement.threads_per_rank}") if placement.binding == "core" else ()
    return ("-hosts", ",".join(nodes), "-ppn", str(placement.ranks_per_node), *bound)
