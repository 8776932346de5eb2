"""Ranks on the devices of a testbed: one on each, over its links, with the testbed in their records."""

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
from edge_testbed_fixture import Testbeds

from saih.domain.errors import EnvironmentMissing, UsageError
from saih.domain.point import Placement
from saih.domain.record import Outcome
from saih.domain.site import Site
from saih.launch.campaign import run
from saih.launch.edge_testbed import read_testbed, site_variables
from saih.launch.job_run import Options
from saih.launch.mpirun import Launcher, LocalMpirun, find_launcher
from saih.launch.starter_edge import EdgeMpirun, starter_here
from saih.machine.environment import capture
from saih.store.sweep_folder import SweepFolder

THREE = Placement(nodes=3, data_parallel=3)
OPENMPI = Launcher(path=Path("/opt/mpi/bin/mpirun"), family="openmpi", version="mpirun (Open MPI) 5.0.11")
DESCRIPTION = {
    "version": 1,
    "name": "kitchen",
    "facts": "real, emulated; a up 1 Mbit/s",
    "nodes": ["kitchen-a", "kitchen-b", "kitchen-c"],
    "launch": ["enter", "kitchen-head", "--"],
    "agent": "/run/kitchen/agent",
    "check": ["true"],
    "variables": {"GLOO_SOCKET_IFNAME": "eth0"},
}
HELLO = """
import json, os, socket
from mpi4py import MPI
comm = MPI.COMM_WORLD
total = comm.allreduce(comm.rank)
words = ("EDGE_DEVICE", "EDGE_TESTBED_MODE", "GLOO_SOCKET_IFNAME", "SAIH_TESTBED", "TMPDIR")
print(json.dumps({"rank": comm.rank, "size": comm.size, "total": total, "host": socket.gethostname(),
                  "shared": comm.Split_type(MPI.COMM_TYPE_SHARED).size,
                  **{word: os.environ.get(word) for word in words}}), flush=True)
"""


def site_of(tmp_path: Path, **changes: object) -> Site:
    path = tmp_path / "testbed.json"
    path.write_text(json.dumps({**DESCRIPTION, **changes}))
    return Site(name="edge", testbed=str(path), environment={"OWN": "1"})


def test_one_rank_starts_on_each_of_the_first_devices(tmp_path: Path) -> None:
    starter = EdgeMpirun(launcher=OPENMPI, site=site_of(tmp_path))
    start = starter.start(Placement(nodes=2, data_parallel=2), ("python", "a b"))
    command = list(start.command)
    assert command[:4] == ["enter", "kitchen-head", "--", str(OPENMPI.path)]
    assert command[command.index("--host") + 1] == "kitchen-a:1,kitchen-b:1"
    assert command[-2:] == ["python", "a b"]
    assert start.environment["PRTE_MCA_plm_ssh_agent"] == "/run/kitchen/agent"
    told = {word for flag, word in pairwise(command) if flag == "-x"}
    assert {"OWN", "GLOO_SOCKET_IFNAME", "SAIH_TESTBED", "OMP_NUM_THREADS"} <= told
    assert start.environment["SAIH_TESTBED"] == DESCRIPTION["facts"]


def test_what_a_testbed_cannot_do_is_said_before_anything_starts(tmp_path: Path) -> None:
    starter = EdgeMpirun(launcher=OPENMPI, site=site_of(tmp_path))
    with pytest.raises(UsageError, match="has 3 devices: kitchen-a kitchen-b kitchen-c"):
        starter.start(Placement(nodes=4, data_parallel=4), ("true",))
    with pytest.raises(UsageError, match="a device has one"):
        starter.start(Placement(ranks_per_node=2, data_parallel=2), ("true",))
    down = EdgeMpirun(launcher=OPENMPI, site=site_of(tmp_path, check=["sh", "-c", "echo gone >&2; exit 1"]))
    with pytest.raises(EnvironmentMissing, match="gone"):
        down.start(THREE, ("true",))
    newer = site_of(tmp_path, version=2)
    with pytest.raises(UsageError, match="version 2"):
        read_testbed(newer)


def test_the_testbed_belongs_to_the_environment_of_records(tmp_path: Path) -> None:
    site, other = site_of(tmp_path), Site(environment={"OWN": "1"})
    facts = capture(site_variables(site)).facts
    assert facts["testbed"] == DESCRIPTION["facts"]
    assert "testbed" not in capture(site_variables(other)).facts
    changed = capture(site_variables(site_of(tmp_path, facts="real, emulated; a up 2 Mbit/s")))
    assert changed.environment_id != capture({"SAIH_TESTBED": str(DESCRIPTION["facts"])}).environment_id


def test_without_a_testbed_ranks_start_here() -> None:
    assert isinstance(starter_here(OPENMPI, Site()), LocalMpirun)


@pytest.fixture
def made(testbeds: Testbeds, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a testbed of a text; gives the path of its description."""
    monkeypatch.setenv("SAIH_EDGE_TESTBEDS", str(testbeds.folder))
    return lambda text: Path(testbeds.call("up", testbeds.file(text))).with_name("testbed.json")


@pytest.mark.slow
def test_ranks_of_mpi_meet_over_three_devices(made: Callable[[str], Path]) -> None:
    description = made(
        "name: hello\nmode: paced\ndevices: [{name: a}, {name: b}, {name: c}]\n"
        "links: {default: {rate: 50 Mbit/s, delay: 1 ms}}\n",
    )
    site = Site(name="edge", testbed=str(description))
    start = EdgeMpirun(launcher=find_launcher(), site=site).start(THREE, (sys.executable, "-c", HELLO))
    done = subprocess.run(
        start.command, env=start.environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = sorted((json.loads(line) for line in done.stdout.splitlines()), key=lambda row: row["rank"])
    assert [row["host"] for row in rows] == ["hello-a", "hello-b", "hello-c"]
    assert [row["EDGE_DEVICE"] for row in rows] == ["a", "b", "c"]
    assert {(row["size"], row["total"], row["shared"]) for row in rows} == {(3, 3, 1)}
    assert {row["EDGE_TESTBED_MODE"] for row in rows} == {"paced"}
    assert {row["GLOO_SOCKET_IFNAME"] for row in rows} == {"eth0"}
    assert {row["SAIH_TESTBED"] for row in rows} == {read_testbed(site).facts}


@pytest.mark.slow
def test_a_campaign_on_devices_has_an_outcome_for_every_point_and_leaves_no_rank(
    made: Callable[[str], Path], tmp_path: Path, tiny: ModuleType
) -> None:
    description = made("name: swept\ndevices: [{name: a}, {name: b}]\nlinks: {default: {rate: 50mbit}}\n")
    site = Site(name="edge", testbed=str(description))
    folder = SweepFolder(tmp_path / "re sults $(x)", "growth")
    points = {
        fault: tiny.tiny_point(width, fault, nodes=2) for width, fault in enumerate(("none", "killed"), 1)
    }
    options = Options(seed=3, worker_module="tiny_worker", site=site, max_lost=1)
    result = run(folder, list(points.values()), folder.root, tiny.ENVIRONMENT, lambda _: None, options)
    outcomes = {fault: result.states[point.point_id].outcome for fault, point in points.items()}
    assert outcomes == {"none": Outcome.COMPLETED, "killed": Outcome.LOST}
    assert tiny.processes_naming(str(folder.root)) == []
    assert tiny.processes_naming("prterun-swept-head") == []  # its daemons on the devices
