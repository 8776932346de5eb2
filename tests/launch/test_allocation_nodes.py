"""What the variables and commands of each scheduler say about the nodes of a job."""

import os
import socket
from pathlib import Path

import pytest

from saih.domain.errors import EnvironmentMissing
from saih.launch.allocation_nodes import find_allocation


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    monkeypatch.setenv("TZ", "UTC")
    return folder


def make(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_slurm_says_nodes_cores_restarts_and_the_end(programs: Path) -> None:
    make(
        programs,
        "scontrol",
        'if [ "$2" = hostnames ]; then printf "n7\\nn9\\n"; else echo "EndTime=2999-01-02T03:04:05 x"; fi',
    )
    found = find_allocation(
        {
            "SLURM_JOB_ID": "17",
            "SLURM_JOB_NODELIST": "n[7,9]",
            "SLURM_JOB_CPUS_PER_NODE": "8(x1),4",
            "SLURM_RESTART_COUNT": "2",
        }
    )
    assert (found.scheduler, found.job_id, found.nodes, found.cores_per_node) == (
        "slurm",
        "17",
        ("n7", "n9"),
        4,
    )
    assert found.num_restarts == 2
    assert found.left_s is not None
    assert found.left_s > 3e10


def test_an_element_of_an_array_is_named_as_scancel_takes_it(programs: Path) -> None:
    make(programs, "scontrol", "echo n1")
    found = find_allocation(
        {
            "SLURM_JOB_ID": "19",
            "SLURM_JOB_NODELIST": "n1",
            "SLURM_ARRAY_JOB_ID": "17",
            "SLURM_ARRAY_TASK_ID": "3",
        }
    )
    assert found.job_id == "17_3"


def test_slurm_without_scontrol_is_an_error_before_anything_starts(programs: Path) -> None:
    make(programs, "scontrol", "exit 1")
    with pytest.raises(EnvironmentMissing, match="scontrol does not tell the nodes of job 17"):
        find_allocation({"SLURM_JOB_ID": "17", "SLURM_JOB_NODELIST": "n1"})


def test_pbs_names_a_node_once_for_each_slot_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "nodes").write_text("b\nb\na\na\n")
    found = find_allocation({"PBS_JOBID": "5.pbs", "PBS_NODEFILE": str(tmp_path / "nodes")})
    assert (found.scheduler, found.job_id, found.nodes) == ("pbs", "5.pbs", ("b", "a"))
    with pytest.raises(EnvironmentMissing, match="pbs does not tell the nodes"):
        find_allocation({"PBS_JOBID": "5.pbs"})


def test_lsf_says_nodes_in_a_variable_or_in_a_file(tmp_path: Path) -> None:
    found = find_allocation({"LSB_JOBID": "5", "LSB_JOBINDEX": "2", "LSB_MCPU_HOSTS": "a 4 b 4"})
    assert (found.scheduler, found.job_id, found.nodes) == ("lsf", "5[2]", ("a", "b"))
    (tmp_path / "nodes").write_text("c\nd\n")
    environ = {"LSB_JOBID": "5", "LSB_JOBINDEX": "0", "LSB_DJOB_HOSTFILE": str(tmp_path / "nodes")}
    assert find_allocation(environ).nodes == ("c", "d")


def test_flux_is_asked_for_its_hosts(programs: Path) -> None:
    make(programs, "flux", "echo f1 f2")
    assert find_allocation({"FLUX_JOB_ID": "f23"}).nodes == ("f1", "f2")


def test_outside_of_any_scheduler_this_host_is_alone() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    found = find_allocation(clean)
    assert (found.scheduler, found.nodes, found.left_s) == ("local", (socket.gethostname(),), None)
