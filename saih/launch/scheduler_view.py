"""What the scheduler says of a sweep's jobs: asked seldom, and shared by all who look at the same sweep."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from saih.domain.batch import Submission
from saih.domain.errors import DamagedData, SaihError
from saih.domain.moment import require_utc
from saih.domain.site import Site
from saih.launch import slurm
from saih.launch.job_view import JobView
from saih.store.document import render
from saih.store.files import make_folder, write_file
from saih.store.note import read_note
from saih.store.submission_folder import SubmissionFolder, read_receipt, read_submission, submission_numbers
from saih.store.sweep_folder import SweepFolder

INTERVAL_S = 30.0
"""Login nodes serve many: the scheduler is asked no oftener than this."""
_REMEDY = "delete this file; it is only a note of what the scheduler said."


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerView:
    """What the scheduler said at one time."""

    asked_utc: str
    jobs: tuple[JobView, ...]
    """In the queue, or ended a moment ago."""
    accounts: tuple[JobView, ...]
    """What became of jobs of this sweep, as far as accounts are kept."""
    problem: str
    """Why the scheduler could not be asked, for the reader; empty when it answered."""

    def __post_init__(self) -> None:
        require_utc(self.asked_utc)


def read_view(folder: SweepFolder, site: Site, *, is_fresh: bool = False) -> SchedulerView:
    """What the scheduler says, or said less than ``INTERVAL_S`` ago to anybody who looked at this sweep.

    ``is_fresh`` asks in any case: for whoever is about to submit.
    """
    if site.scheduler != "slurm":
        words = f"SAIH cannot ask {site.scheduler} about its jobs"
        return SchedulerView(asked_utc=_now(), jobs=(), accounts=(), problem=words)
    with _alone(folder.path / "scheduler.lock") as is_kept:
        known = None if is_fresh else _known(folder)
        if known is not None and abs(_age_s(known)) < INTERVAL_S:
            return known
        view = _asked(folder)
        if is_kept:
            with suppress(OSError):  # a full disk: everybody asks then
                write_file(_path(folder), render("saih scheduler view", view))
        return view


def _asked(folder: SweepFolder) -> SchedulerView:
    asked_utc = _now()
    submitted = _submitted(folder)
    try:
        jobs = _ours(slurm.jobs(), submitted)
        unseen = [one.written_utc for one, job_id in submitted if not _is_shown(one, job_id, jobs)]
        accounts = slurm.accounts(min(unseen)) if unseen else None
    except SaihError as error:
        return SchedulerView(asked_utc=asked_utc, jobs=(), accounts=(), problem=error.problem)
    return SchedulerView(
        asked_utc=asked_utc, jobs=jobs, accounts=_ours(accounts or (), submitted), problem=""
    )


def _submitted(folder: SweepFolder) -> tuple[tuple[Submission, str], ...]:
    """The submissions of the sweep, each with its job id, or an empty one where no answer came."""
    found = []
    for number in submission_numbers(folder):
        place = SubmissionFolder(sweep=folder, number=number)
        with suppress(DamagedData, FileNotFoundError):
            submission, receipt = read_submission(place), read_receipt(place)
            found.append((submission, receipt.job_id if receipt else ""))
    return tuple(found)


def _ours(views: tuple[JobView, ...], submitted: tuple[tuple[Submission, str], ...]) -> tuple[JobView, ...]:
    names = {one.token for one, _ in submitted}
    return tuple(view for view in views if view.name in names)


def _is_shown(submission: Submission, job_id: str, jobs: tuple[JobView, ...]) -> bool:
    """Whether the queue tells everything about a submission; ended elements of an array are not in it."""
    others = submission.earlier_job_ids
    shown = [
        job
        for job in jobs
        if job_id in {"", job.job_id} and job.name == submission.token and job.job_id not in others
    ]
    return len(shown) >= submission.num_elements


def _known(folder: SweepFolder) -> SchedulerView | None:
    try:
        return read_note("saih scheduler view", SchedulerView, _path(folder), remedy=_REMEDY)
    except DamagedData:
        return None


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Wait for others who ask; False where nothing can be kept for them (a folder of somebody else)."""
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        yield False
        return
    try:
        with suppress(OSError):  # a file system without locks: then two may ask at the same time
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield True
    finally:
        os.close(descriptor)


def _path(folder: SweepFolder) -> Path:
    return folder.path / "scheduler.json"


def _age_s(view: SchedulerView) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(view.asked_utc)).total_seconds()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
