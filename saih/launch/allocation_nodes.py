"""The allocation that this process runs in: job, nodes and end, as the scheduler tells them."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from saih.domain.errors import EnvironmentMissing
from saih.domain.site import SchedulerName
from saih.machine.probe import answer_of, text_of

_ANSWER_LIMIT_S = 30.0
_COUNT = re.compile(r"(\d+)(?:\(x\d+\))?")
_END_TIME = re.compile(r"\bEndTime=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Nodes that a scheduler lent to one job."""

    scheduler: SchedulerName
    job_id: str
    """As the scheduler's commands take it, with the element of an array; empty without a scheduler."""
    num_restarts: int
    nodes: tuple[str, ...]
    """Names, this node first, by which launchers reach them."""
    cores_per_node: int | None
    """The fewest CPUs of a node that the job may use; None when the scheduler does not say."""
    left_s: float | None
    """Until the scheduler ends the job; None when it does not say."""


def find_allocation(environ: Mapping[str, str]) -> Allocation:
    """The allocation that the scheduler's variables describe; this host alone outside of any.

    Raises:
        EnvironmentMissing: when the variables are there, but the nodes cannot be told from them.
    """
    if "SLURM_JOB_ID" in environ:
        return _slurm(environ)
    if "PBS_JOBID" in environ:
        return _plain("pbs", environ["PBS_JOBID"], _lines_of(environ, "PBS_NODEFILE"))
    if "LSB_JOBID" in environ:
        return _plain("lsf", _lsf_job(environ), _lsf_nodes(environ))
    if "FLUX_JOB_ID" in environ:
        return _plain("flux", environ["FLUX_JOB_ID"], _flux_nodes())
    return _plain("local", "", [socket.gethostname()])


def _slurm(environ: Mapping[str, str]) -> Allocation:
    job_id, listed = environ["SLURM_JOB_ID"], environ.get("SLURM_JOB_NODELIST", "")
    answer = answer_of(["scontrol", "show", "hostnames", listed], limit_s=_ANSWER_LIMIT_S)
    if not answer or not answer.split():
        raise EnvironmentMissing(
            f"scontrol does not tell the nodes of job {job_id} (SLURM_JOB_NODELIST={listed!r}).",
            "start this inside a Slurm job, where scontrol is on PATH.",
        )
    array, element = environ.get("SLURM_ARRAY_JOB_ID"), environ.get("SLURM_ARRAY_TASK_ID")
    counts = [int(count) for count in _COUNT.findall(environ.get("SLURM_JOB_CPUS_PER_NODE", ""))]
    return Allocation(
        scheduler="slurm",
        job_id=f"{array}_{element}" if array and element else job_id,
        num_restarts=int(environ.get("SLURM_RESTART_COUNT", "0")),
        nodes=tuple(answer.split()),
        cores_per_node=min(counts, default=None),
        left_s=_slurm_left_s(environ, job_id),
    )


def _slurm_left_s(environ: Mapping[str, str], job_id: str) -> float | None:
    now = datetime.now(UTC)
    if (end := environ.get("SLURM_JOB_END_TIME", "")).isdigit():
        return float(end) - now.timestamp()
    answer = answer_of(["scontrol", "show", "job", "-o", job_id], limit_s=_ANSWER_LIMIT_S)
    if found := _END_TIME.search(answer or ""):
        # Slurm prints the local time of this machine.
        return datetime.fromisoformat(found.group(1)).astimezone(UTC).timestamp() - now.timestamp()
    return None


def _plain(scheduler: SchedulerName, job_id: str, names: list[str]) -> Allocation:
    if not names:
        raise EnvironmentMissing(
            f"{scheduler} does not tell the nodes of job {job_id}.",
            "start this inside a job of that scheduler, whose node file this node can read.",
        )
    return Allocation(
        scheduler=scheduler,
        job_id=job_id,
        num_restarts=0,
        nodes=tuple(dict.fromkeys(names)),  # node files name a node once for each of its slots
        cores_per_node=None,
        left_s=None,
    )


def _lines_of(environ: Mapping[str, str], name: str) -> list[str]:
    path = environ.get(name)
    return (text_of(Path(path)) or "").split() if path else []


def _lsf_job(environ: Mapping[str, str]) -> str:
    index = environ.get("LSB_JOBINDEX", "0")
    return environ["LSB_JOBID"] if index == "0" else f"{environ['LSB_JOBID']}[{index}]"


def _lsf_nodes(environ: Mapping[str, str]) -> list[str]:
    # "n1 4 n2 4": names and slots in turn; LSB_MCPU_HOSTS is left out for very many hosts.
    return environ.get("LSB_MCPU_HOSTS", "").split()[::2] or _lines_of(environ, "LSB_DJOB_HOSTFILE")


def _flux_nodes() -> list[str]:
    answer = answer_of(["flux", "hostlist", "--expand", "local"], limit_s=_ANSWER_LIMIT_S)
    return (answer or "").split()
