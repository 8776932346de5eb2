"""What is known of the jobs of a sweep: from its folder, and from the scheduler if that answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from saih.commands.talk import say
from saih.domain.errors import DamagedData, EnvironmentMissing
from saih.domain.site import Site
from saih.launch.batch_state import job_statuses
from saih.launch.point_standing import PointStanding, live_points, point_standings
from saih.launch.scheduler_view import SchedulerView, read_view
from saih.launch.situation import JobStatus, Situation, Submitted, Worked
from saih.launch.verify_work import untried
from saih.store.batch_folder import BatchFolder, read_batch, read_holder, read_progress
from saih.store.point_state import PointState
from saih.store.submission_folder import (
    SubmissionFolder,
    read_receipt,
    read_submission,
    submission_numbers,
)
from saih.store.sweep_folder import SweepFolder

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The jobs of a sweep, and where every point stands."""

    situation: Situation
    jobs: tuple[JobStatus, ...]
    standings: Mapping[str, PointStanding]
    damages: tuple[str, ...] = ()
    """What of the submissions and batches does not verify, and was passed over."""

    @property
    def live_points(self) -> Mapping[str, JobStatus]:
        """The points that a job may still work on."""
        return live_points(self.situation, self.jobs)

    @property
    def live_jobs(self) -> tuple[JobStatus, ...]:
        """The jobs that are not known to have ended."""
        return tuple(job for job in self.jobs if job.is_live)

    @property
    def site(self) -> Site | None:
        """The site of the last submission."""
        return self.situation.submissions[-1].submission.site if self.situation.submissions else None


def read_account(
    folder: SweepFolder, states: Mapping[str, PointState], *, is_fresh: bool = False, is_strict: bool = False
) -> Account:
    """What the jobs of a sweep are doing; the scheduler is asked when the sweep was ever given to one.

    It is asked seldom, unless ``is_fresh``: for whoever is about to submit or to cancel. Damage is told and
    passed over, unless ``is_strict``: for whoever is about to work on points, which the job of a submission
    that cannot be read may have.

    Raises:
        DamagedData: when ``is_strict``, and what was submitted does not verify.
        EnvironmentMissing: when ``is_strict``, and a batch that was submitted is not there.
    """
    damages: list[str] = []
    told = _raised if is_strict else partial(_told, damages)
    submissions = tuple(
        one
        for number in submission_numbers(folder)
        if (one := told(partial(_submitted, SubmissionFolder(sweep=folder, number=number)))) is not None
    )
    numbers = dict.fromkeys(number for one in submissions for number in one.submission.batches)
    worked = {number: told(partial(_worked, folder, number)) for number in numbers}
    situation = Situation(
        submissions=submissions,
        batches={number: one for number, one in worked.items() if one is not None},
        view=_view(folder, submissions, is_fresh=is_fresh),
        finished={point_id for point_id, state in states.items() if not state.is_to_be_measured}
        - _to_be_verified(folder, worked.values()),
    )
    jobs = job_statuses(situation)
    standings = point_standings(states, situation, jobs)
    return Account(situation=situation, jobs=jobs, standings=standings, damages=tuple(damages))


def _view(folder: SweepFolder, submissions: Sequence[Submitted], *, is_fresh: bool) -> SchedulerView | None:
    if not submissions:
        return None
    return read_view(folder, submissions[-1].submission.site, is_fresh=is_fresh)


def _to_be_verified(folder: SweepFolder, worked: Iterable[Worked | None]) -> set[str]:
    """Measured points that a batch is yet to put to the test."""
    return {
        point.point_id
        for one in worked
        if one is not None and one.batch.verify is not None
        for point in untried(folder, one.batch.points, one.batch.verify_since_utc)
    }


def _submitted(place: SubmissionFolder) -> Submitted | None:
    try:
        submission = read_submission(place)
    except FileNotFoundError:  # its folder was made, and the command ended before it asked anything
        return None
    return Submitted(submission=submission, receipt=read_receipt(place))


def _worked(folder: SweepFolder, number: int) -> Worked:
    place = BatchFolder(sweep=folder, number=number)
    return Worked(
        batch=read_batch(place),
        holder=_told([], partial(read_holder, place)),
        progress=_told([], partial(read_progress, place)),
    )


def _told(damages: list[str], read: Callable[[], _Value | None]) -> _Value | None:
    """What was read; what does not verify is told, added to ``damages`` and passed over."""
    try:
        return read()
    except (DamagedData, EnvironmentMissing) as error:
        damages.append(f"{error.problem} {error.remedy}")
        say(damages[-1])
        return None


def _raised(read: Callable[[], _Value | None]) -> _Value | None:
    """What was read; what does not verify is not passed over."""
    return read()
