"""A real Slurm for tests: four nodes of two processors, started once, made whole again after each test.

``cluster`` is it. A machine without Slurm fails these tests: what they hold cannot be seen without one.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "slurm_cluster"
NODES = ("n1", "n2", "n3", "n4")
# Another Slurm's variables change what Slurm's commands do; SLURM_CONF is that of the cluster.
FOREIGN = re.compile(r"S(LURM|BATCH|ALLOC|QUEUE|INFO|ACCT|CANCEL|RUN)_")
ENDED = frozenset({"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "DEADLINE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SlurmCluster:
    """A running cluster, its commands, and the ways to hurt it."""

    folder: Path
    environment: Mapping[str, str]
    hurt: dict[str, str] = field(default_factory=dict)
    """Command that makes good again what a test did, by what it did."""

    def call(self, *words: str | Path, patience_s: float = 60.0) -> str:
        """Output of a command that ends with 0, run on the host where users log in."""
        done = self.attempt(*words, patience_s=patience_s)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def attempt(self, *words: str | Path, patience_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """A command run to its end, whatever that is."""
        return subprocess.run(
            words, env=dict(self.environment), capture_output=True, text=True, check=False, timeout=patience_s
        )

    def tool(self, *words: str) -> str:
        """A command of tools/slurm_cluster on this cluster."""
        return self.call(sys.executable, TOOL, "--folder", self.folder, *words, patience_s=90.0)

    def submit(self, script: str, *options: str) -> str:
        """Submits the lines of a script; gives the job's id."""
        number = len(list(self.folder.parent.glob("script-*")))
        path = self.folder.parent / f"script-{number}"
        path.write_text(f"#!/bin/bash\n{script}\n")
        log = self.folder.parent / "log-%j.txt"
        return self.call("sbatch", "--parsable", "--open-mode=append", "--output", log, *options, path)

    def log(self, job_id: str) -> str:
        """What a job wrote so far, in all its starts."""
        path = self.folder.parent / f"log-{job_id}.txt"
        return path.read_text() if path.exists() else ""

    def job(self, job_id: str) -> dict[str, str]:
        """What ``scontrol`` knows of a job: ``JobState``, ``Reason``, ``Restarts``, ``ExitCode``..."""
        told = self.call("scontrol", "--oneliner", "show", "job", job_id).splitlines()[0]
        return dict(word.split("=", 1) for word in told.split() if "=" in word)

    def state(self, job_id: str) -> str:
        """The state of a job, as ``scontrol`` calls it."""
        return self.job(job_id)["JobState"]

    def wait_for_state(self, job_id: str, *states: str, patience_s: float = 60.0) -> dict[str, str]:
        """Until a job is in one of these states; with none, until it has ended."""
        wanted = frozenset(states) or ENDED
        wait_until(lambda: self.state(job_id) in wanted, patience_s, lambda: str(self.job(job_id)))
        return self.job(job_id)

    def wait_for_log(self, job_id: str, text: str, patience_s: float = 60.0) -> None:
        """Until a job has written this."""
        wait_until(lambda: text in self.log(job_id), patience_s, lambda: f"{text!r} in {self.log(job_id)!r}")

    def accounts(self, job_id: str, *fields: str, num_rows: int = 1) -> list[list[str]]:
        """Rows of sacct for a job, each start and element one, once slurmdbd has heard of all ends."""
        words = ("sacct", "-nPXD", "-j", job_id, f"--format={','.join(('end', *fields))}")

        def rows() -> list[list[str]]:
            return [line.split("|") for line in self.call(*words).splitlines()]

        def are_ended() -> bool:
            return [row[0] != "Unknown" for row in rows()] == [True] * num_rows

        wait_until(are_ended, 30.0, lambda: str(rows()))
        return [row[1:] for row in rows()]

    def cut(self, node: str) -> None:
        """Takes a node off the network; its processes go on."""
        self.hurt[f"cut {node}"] = f"heal {node}"
        self.tool("cut", node)

    def heal(self, node: str) -> None:
        """Connects a node again."""
        self.tool("heal", node)
        self.hurt.pop(f"cut {node}")

    def kill_node(self, node: str) -> None:
        """Takes the power of a node."""
        self.hurt[f"kill {node}"] = f"start-node {node}"
        self.tool("kill-node", node)

    def kill_slurmd(self, node: str) -> None:
        """Kills the daemon of a node; what jobs run there goes on."""
        self.hurt[f"kill {node}"] = f"start-node {node}"
        self.tool("kill-slurmd", node)

    def start_node(self, node: str) -> None:
        """Brings a killed node or daemon back."""
        self.hurt.pop(f"kill {node}")
        self.tool("start-node", node)

    def kill_controller(self) -> None:
        """Kills slurmctld, once it has written down what it knows: it does so 5 s after a change at most.

        One that forgets its last jobs gives their numbers to later ones, whose launch then fails where the
        first ones still run.
        """
        state, now_s = self.folder / "state" / "job_state", time.time()
        deadline = time.monotonic() + 6.0
        while not (state.exists() and state.stat().st_mtime > now_s) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.hurt["controller"] = "start-controller"
        self.tool("kill-controller")

    def start_controller(self) -> None:
        """Starts slurmctld again."""
        self.hurt.pop("controller")
        self.tool("start-controller")

    def processes(self, *texts: str) -> list[int]:
        """Numbers of living processes, on any node, whose command line has all these texts."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if line and all(text in line for text in texts):
                found.append(int(path.parent.name))
        return sorted(found)

    def kill_process(self, pid: int) -> None:
        """SIGKILL for one process."""
        os.kill(pid, signal.SIGKILL)

    def mend(self) -> None:
        """Cancels all jobs and brings back all that tests took away."""
        for command in sorted(
            self.hurt.values(), reverse=True
        ):  # the controller first: it must hear the nodes
            self.tool(*command.split())
        self.hurt.clear()
        self.attempt("scancel", "--user", self.call("id", "-un"))
        wait_until(lambda: not self.call("squeue", "-h"), 40.0, lambda: self.call("squeue"))

        def are_idle() -> bool:
            states = dict(line.split() for line in self.call("sinfo", "-hN", "-o", "%N %t").splitlines())
            for node, state in states.items():
                if state.startswith(("drain", "drng")) or state == "down":
                    self.attempt("scontrol", "update", f"NodeName={node}", "State=RESUME")
            return set(states.values()) == {"idle"}

        wait_until(are_idle, 60.0, lambda: self.call("sinfo", "-N", "-l"))


def wait_until(is_so: Callable[[], object], patience_s: float, what: Callable[[], str]) -> None:
    """Asks until it is so; fails with ``what()`` when it is not in time."""
    deadline = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {patience_s:g} s: ... {what()[-600:]}")
        time.sleep(0.1)


def start_cluster(folder: Path, *options: str) -> SlurmCluster:
    """A cluster in ``folder``, as tools/slurm_cluster starts it with these options."""
    words = [sys.executable, str(TOOL), "--folder", str(folder), "start", *options]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        pytest.fail(f"no Slurm cluster: {done.stderr}", pytrace=False)
    # The shell reads the lines as a user's would.
    asked = subprocess.run(
        ["sh", "-c", f"{done.stdout}\nenv -0"],
        env={name: value for name, value in os.environ.items() if not FOREIGN.match(name)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split("=", 1) for line in asked.stdout.split("\0") if line)
    return SlurmCluster(folder=folder, environment=found)


def stop_cluster(cluster: SlurmCluster) -> None:
    """Ends all that was started."""
    cluster.tool("stop")


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmCluster]:
    """The one cluster of all tests; take ``cluster`` instead, which is whole at the begin of each test."""
    cluster = start_cluster(tmp_path_factory.mktemp("slurm") / "cluster", "--slurmd-timeout-s", "6")
    yield cluster
    stop_cluster(cluster)


@pytest.fixture
def cluster(running_cluster: SlurmCluster) -> Iterator[SlurmCluster]:
    """A cluster with four idle nodes."""
    yield running_cluster
    running_cluster.mend()
