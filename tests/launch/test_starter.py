"""Command lines of ranks: on the first nodes, bound as the placement says, in the container of the site."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from saih.domain.errors import UsageError
from saih.domain.point import Placement
from saih.domain.site import Site
from saih.launch.mpirun import Launcher, LocalMpirun
from saih.launch.starter import worker_program
from saih.launch.starter_allocation import AllocationMpirun, AllocationSrun

OPENMPI = Launcher(path=Path("/opt/mpi/bin/mpirun"), family="openmpi", version="mpirun (Open MPI) 5.0.11")
MPICH = Launcher(path=Path("/opt/mpi/bin/mpiexec"), family="mpich", version="HYDRA build details:")
NODES = ("n1", "n2", "n3")
TWO_NODES = Placement(nodes=2, ranks_per_node=3, threads_per_rank=4, data_parallel=6)
BOUND = Placement(nodes=2, ranks_per_node=3, threads_per_rank=4, data_parallel=6, binding="core")
PROGRAM = ("python", "-m", "x", "a b/$(y).json")


def after(command: Sequence[str], option: str) -> str:
    return command[command.index(option) + 1]


def test_open_mpi_starts_ranks_on_the_first_nodes_of_the_allocation() -> None:
    start = AllocationMpirun(launcher=OPENMPI, site=Site(), nodes=NODES).start(TWO_NODES, PROGRAM)
    assert start.command[:3] == (str(OPENMPI.path), "-n", "6")
    assert after(start.command, "--host") == "n1:3,n2:3"
    assert after(start.command, "--map-by") == "ppr:3:node:OVERSUBSCRIBE"
    assert after(start.command, "--bind-to") == "none"
    assert start.command[-4:] == PROGRAM
    bound = AllocationMpirun(launcher=OPENMPI, site=Site(), nodes=NODES).start(BOUND, PROGRAM)
    assert (after(bound.command, "--map-by"), after(bound.command, "--bind-to")) == (
        "ppr:3:node:PE=4",
        "core",
    )


def test_other_nodes_are_told_names_of_variables_and_never_values() -> None:
    site = Site(environment={"SITE": "secret words"})
    start = AllocationMpirun(launcher=OPENMPI, site=site, nodes=NODES).start(TWO_NODES, PROGRAM)
    names = {word for flag, word in zip(start.command, start.command[1:], strict=False) if flag == "-x"}
    assert {"SITE", "OMP_NUM_THREADS", "PATH"} <= names
    assert not [word for word in start.command if "secret" in word]
    assert start.environment["SITE"] == "secret words"
    assert start.environment["OMP_NUM_THREADS"] == "4"


def test_mpich_starts_ranks_on_the_first_nodes_of_the_allocation() -> None:
    start = AllocationMpirun(launcher=MPICH, site=Site(), nodes=NODES).start(BOUND, PROGRAM)
    assert (after(start.command, "-hosts"), after(start.command, "-ppn")) == ("n1,n2", "3")
    assert after(start.command, "-bind-to") == "core:4"


def test_srun_starts_a_step_beside_the_batch_script_and_ends_all_with_one() -> None:
    site = Site(srun_mpi="pmi2")
    start = AllocationSrun(site=site, nodes=NODES, cores_per_node=12).start(TWO_NODES, PROGRAM)
    wanted = {"--nodes=2", "--ntasks=6", "--ntasks-per-node=3", "--nodelist=n1,n2", "--mpi=pmi2", "--overlap"}
    wanted |= {"--kill-on-bad-exit=1", "--cpu-bind=none", "--cpus-per-task=4"}
    assert start.command[0] == "srun"
    assert wanted <= set(start.command)
    bound = AllocationSrun(site=site, nodes=NODES, cores_per_node=12).start(BOUND, PROGRAM)
    assert {"--cpu-bind=cores", "--exact", "--cpus-per-task=4"} <= set(bound.command)


def test_srun_lets_ranks_share_cpus_where_a_node_has_too_few() -> None:
    start = AllocationSrun(site=Site(), nodes=NODES, cores_per_node=2).start(TWO_NODES, PROGRAM)
    assert "--overcommit" in start.command
    assert not [word for word in start.command if word.startswith("--cpus-per-task")]


def test_srun_asks_for_the_gpus_of_a_node() -> None:
    placement = Placement(nodes=2, ranks_per_node=2, data_parallel=4, device="cuda", gpus_per_rank=2)
    start = AllocationSrun(site=Site(), nodes=NODES, cores_per_node=None).start(placement, PROGRAM)
    assert "--gpus-per-node=4" in start.command


@pytest.mark.parametrize(
    "starter",
    [
        AllocationMpirun(launcher=OPENMPI, site=Site(), nodes=("n1",)),
        AllocationSrun(site=Site(), nodes=("n1",), cores_per_node=None),
        LocalMpirun(launcher=OPENMPI),
    ],
)
def test_too_few_nodes_are_said_before_anything_starts(starter: LocalMpirun) -> None:
    with pytest.raises(UsageError, match="2 nodes, but"):
        starter.start(TWO_NODES, PROGRAM)


def test_ranks_run_in_the_container_and_interpreter_of_the_site() -> None:
    site = Site(container="/images/a b.sif", container_options=("--nv",), python="/opt/python")
    inside = worker_program(site, "saih.worker", Path("/r/job-1.json"))
    assert inside[:4] == ("apptainer", "exec", "--nv", "/images/a b.sif")
    assert inside[4:] == ("/opt/python", "-m", "mpi4py", "-m", "saih.worker", "/r/job-1.json")
    assert worker_program(Site(), "saih.worker", Path("/r/job-1.json"))[0] == sys.executable


def test_a_bound_placement_is_bound_on_this_machine_too() -> None:
    bound = Placement(ranks_per_node=2, threads_per_rank=3, data_parallel=2, binding="core")
    start = LocalMpirun(launcher=OPENMPI).start(bound, PROGRAM)
    assert (after(start.command, "--map-by"), after(start.command, "--bind-to")) == ("slot:PE=3", "core")
