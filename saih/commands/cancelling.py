"""Taking the jobs of a sweep back from its scheduler."""

import time
from collections.abc import Mapping, Sequence

from saih.commands.situation import Account, read_account
from saih.commands.talk import say
from saih.domain.errors import UsageError
from saih.launch import slurm
from saih.launch.situation import Condition, JobStatus
from saih.launch.submission import reconcile_alone, submitting_alone
from saih.store.point_state import PointState
from saih.store.sweep_folder import SweepFolder

_SETTLE_S = 1.0
"""A scheduler takes a moment to act on what it was told."""
_PATIENCE_S = 60.0
"""Whoever submits jobs of the sweep right now is waited for, so that none is left."""


def cancel_jobs(folder: SweepFolder, states: Mapping[str, PointState]) -> Account:
    """Cancel every job of the sweep that may be live; gives what was known of them before.

    Raises:
        UsageError: when the scheduler cannot be asked by SAIH, or somebody submits the sweep right now.
        SaihError: when it does not answer.
    """
    account = read_account(folder, states, is_fresh=True)
    if not account.live_jobs:
        return account
    _require_slurm(folder, account)
    with submitting_alone(folder, _PATIENCE_S, say):  # jobs that come after this look would stay
        account = read_account(folder, states, is_fresh=True)
        if any(not job.job_id for job in account.live_jobs):
            reconcile_alone(folder)  # a job whose answer was lost may be in the queue all the same
            account = read_account(folder, states, is_fresh=True)
        cancel_these(account.live_jobs)
    time.sleep(_SETTLE_S)
    read_account(folder, states, is_fresh=True)  # for whoever looks next
    return account


def _require_slurm(folder: SweepFolder, account: Account) -> None:
    site = account.site
    if site is not None and site.scheduler != "slurm":
        ids = ", ".join(job.job_id for job in account.live_jobs if job.job_id) or "unknown"
        raise UsageError(
            f"SAIH cannot cancel jobs of {site.scheduler} (jobs of {folder.name}: {ids})",
            f"cancel them with the commands of {site.scheduler}.",
        )


def cancel_spare_jobs(jobs: tuple[JobStatus, ...]) -> tuple[JobStatus, ...]:
    """Cancel the jobs that have nothing left to do, such as one held after its points were measured."""
    spare = tuple(job for job in jobs if job.condition is Condition.SPARE and job.job_id)
    cancel_these(spare)
    return spare


def cancel_these(jobs: Sequence[JobStatus]) -> None:
    """Ask the scheduler to end these jobs."""
    if jobs:
        slurm.cancel([job.job_id for job in jobs])
