"""Slurm through its own commands. Each call has a time-out, a clean environment, and one reading."""

import os
import pwd
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from saih.domain.errors import SaihError
from saih.domain.site import Site
from saih.launch import slurm_text
from saih.launch.job_view import JobView
from saih.launch.scheduler_call import SchedulerSilentError, call, last_line, silence
from saih.launch.slurm_error import has_no_accounts, is_transient, refusal
from saih.launch.slurm_text import Partition

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 8.0
_MAX_CANCELLED = 500
"""Job ids on one command line of scancel."""
_MAX_SAID = 200
"""Characters of an answer that nobody understands."""


def submit(script_path: Path, site: Site, options: Sequence[str] = ()) -> str:
    """Hand a script to Slurm, once; gives the job's id.

    Raises:
        UsageError: when Slurm refuses it.
        SchedulerSilentError: when it is not known whether Slurm has it.
    """
    command = ["sbatch", "--parsable", *options, str(script_path)]
    answer = call(command)
    job_id = slurm_text.parse_job_id(answer.out)
    if answer.status == 0 and job_id is not None:
        return job_id
    if not answer.is_refusal or is_transient(answer.err):
        raise silence("sbatch", last_line(answer.err or answer.out))
    raise refusal(answer.err, site)


def jobs(patience_s: float = 0.0) -> tuple[JobView, ...]:
    """All jobs of this user in the queue, and those that ended a moment ago, by one squeue.

    Accounts show a job only some seconds after its end; without the latter it would be nowhere meanwhile.
    """
    user = pwd.getpwuid(os.getuid()).pw_name
    command = [
        "squeue",
        "--noheader",
        "--array",
        "--states=all",
        f"--user={user}",
        f"--format={slurm_text.QUEUE_FORMAT}",
    ]
    return _queue(command, patience_s)


def accounts(since_utc: str) -> tuple[JobView, ...] | None:
    """What became of the jobs of this user since then, by one sacct; None where no accounts are kept."""
    since = datetime.fromisoformat(since_utc).astimezone()  # sacct reads and writes local time
    command = [
        "sacct", "--noheader", "--parsable2", "--allocations", f"--format={slurm_text.ACCOUNTS_FORMAT}",
        f"--starttime={since:%Y-%m-%dT%H:%M:%S}",
    ]  # fmt: skip
    answer = call(command)
    if answer.status == 0:
        return _understood("sacct", answer.out, slurm_text.parse_accounts(answer.out))
    if has_no_accounts(answer.err):
        return None
    raise silence("sacct", last_line(answer.err))


def find(name: str, since_utc: str, earlier: Collection[str] = ()) -> str | None:
    """The id of the job of this name, waiting, running or ended; None when Slurm never had one.

    Those of ``earlier`` are others. They are told apart by their ids: times of submission are by the clock of
    Slurm's controller, which may be any time apart from the one of this machine.

    Raises:
        SchedulerSilentError: when Slurm does not answer.
    """
    views = _other(name, _named([name]), earlier) or _other(name, accounts(since_utc) or (), earlier)
    return views[-1].job_id if views else None


def known(names: Sequence[str], since_utc: str, patience_s: float) -> Mapping[str, tuple[str, ...]]:
    """The ids of the jobs of each name that ``find`` would find.

    Raises:
        SchedulerSilentError: when Slurm does not answer for so long.
    """
    views = _named(names, patience_s)
    with suppress(
        SchedulerSilentError
    ):  # jobs that ended before ``since_utc`` are not in the accounts anyway
        views += accounts(since_utc) or ()
    return {name: tuple(dict.fromkeys(view.job_id for view in _other(name, views))) for name in names}


def cancel(job_ids: Sequence[str]) -> None:
    """End these jobs; those that ended already are none to complain about."""
    for begin in range(0, len(job_ids), _MAX_CANCELLED):
        answer = call(["scancel", *job_ids[begin : begin + _MAX_CANCELLED]])
        if answer.status and "Invalid job id" not in answer.err:
            raise silence("scancel", last_line(answer.err))


def partitions() -> tuple[Partition, ...]:
    """The partitions that this user may see, with their nodes, by one sinfo."""
    command = ["sinfo", "--noheader", "--Node", f"--format={slurm_text.NODES_FORMAT}"]
    return slurm_text.parse_nodes(ask(command, patience_s=20.0))


def mpi_plugins() -> tuple[str, ...]:
    """What srun offers to MPI."""
    answer = call(["srun", "--mpi=list"])
    return slurm_text.parse_mpi_plugins(f"{answer.out}\n{answer.err}")


def max_array_size() -> int:
    """Most elements of one job array; 1 where there are no arrays."""
    value = slurm_text.parse_setting(ask(["scontrol", "show", "config"], patience_s=20.0), "MaxArraySize")
    return max(int(value), 1) if value and value.isdigit() else 1


def ask(command: Sequence[str], patience_s: float) -> str:
    """What a command that changes nothing prints; asked again while Slurm does not answer, for a while.

    Raises:
        SchedulerSilentError: when it never answers.
        SaihError: when it refuses.
    """
    deadline, pause_s = time.monotonic() + patience_s, _FIRST_PAUSE_S
    while True:
        answer = call(command)
        if answer.status == 0:
            return answer.out
        if not is_transient(answer.err):
            raise SaihError(
                f"`{command[0]}` failed: {last_line(answer.err)}.", f"try `{command[0]}` by hand."
            )
        if time.monotonic() + pause_s > deadline:
            raise silence(command[0], last_line(answer.err))
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _named(names: Sequence[str], patience_s: float = 0.0) -> tuple[JobView, ...]:
    """The jobs of these names in the queue, or that ended a moment ago, of whatever user."""
    command = ["squeue", "--noheader", "--states=all", f"--name={','.join(names)}"]
    return _queue([*command, f"--format={slurm_text.QUEUE_FORMAT}"], patience_s)


def _other(name: str, views: Sequence[JobView], than: Collection[str] = ()) -> tuple[JobView, ...]:
    """The views of this name, other than those jobs."""
    return tuple(view for view in views if view.name == name and view.job_id not in than)


def _queue(command: Sequence[str], patience_s: float) -> tuple[JobView, ...]:
    out = ask(command, patience_s)
    return _understood("squeue", out, slurm_text.parse_queue(out))


def _understood(command: str, out: str, views: tuple[JobView, ...]) -> tuple[JobView, ...]:
    """The views, unless something was said of which nothing is a job: that is no word of an empty queue."""
    if out.strip() and not views:
        raise silence(command, last_line(out)[:_MAX_SAID])
    return views
