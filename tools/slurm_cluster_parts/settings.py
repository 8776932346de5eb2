"""What a cluster is asked to be: nodes, their sizes, time-outs; and the error that its users meet."""

from dataclasses import dataclass, fields
from typing import Any, Literal

Mode = Literal["namespaces", "plain"]
"""``namespaces``: every node has a host name, network and shared memory of its own. ``plain``: all nodes are
this host on other ports, for machines that refuse namespaces; links cannot be cut there."""
MOST_NODES = 64
MOST_GPUS = 5


class ClusterError(Exception):
    """What was wrong (with the value) and what to do about it."""

    def __init__(self, problem: str, remedy: str, exit_code: int = 1) -> None:
        super().__init__(f"{problem}\n  -> {remedy}")
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Size and tempo of a cluster. The time-outs suit tests; a production system has far longer ones."""

    nodes: int = 4
    cpus: int = 2
    memory_mb: int = 4000
    """Of each node. Only Slurm believes in it: all nodes share the machine's memory and processors."""
    gpus: int = 2
    """Pretend GPUs of each node: Slurm hands them out, nothing can compute on them."""
    accounting: bool = True
    """Whether slurmdbd and MariaDB run, so that sacct answers."""
    slurmd_timeout_s: int = 10
    """A node that is silent for this long is down, and its jobs are requeued."""
    kill_wait_s: int = 3
    """From SIGTERM to SIGKILL at the end of a job."""
    grace_s: int = 3
    """What a preempted job is left to end in."""
    credential_s: int = 5
    """Life of a credential; a requeued job waits for as long."""
    finished_s: int = 300
    """How long squeue and scontrol still know a job that has ended."""

    def __post_init__(self) -> None:
        bounds = {
            "nodes": (1, MOST_NODES),
            "cpus": (1, 1024),
            "memory_mb": (16, 1 << 24),
            "gpus": (0, MOST_GPUS),
            "slurmd_timeout_s": (5, 65533),
            "kill_wait_s": (1, 3600),
            "grace_s": (0, 3600),
            "credential_s": (5, 3600),
            "finished_s": (2, 86400),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ClusterError(f"{name} is {value}", f"give a number from {low} to {high}.", exit_code=2)

    @property
    def node_names(self) -> tuple[str, ...]:
        """``n1``, ``n2``, ..."""
        return tuple(f"n{number}" for number in range(1, self.nodes + 1))


def settings_of(document: dict[str, Any]) -> Settings:
    """Settings as they were written down; what a later version added has its default."""
    known = {field.name for field in fields(Settings)}
    return Settings(**{key: value for key, value in document.items() if key in known})
