"""One job handed to its scheduler: never twice, even when the answer is lost."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from saih.domain.batch import Submission
from saih.domain.errors import SaihError, UsageError
from saih.domain.site import Site
from saih.launch import slurm
from saih.launch.scheduler_call import SchedulerSilentError, call, last_line, silence
from saih.launch.script_dialect import parse_id, reads_input, submit_command
from saih.store.submission_folder import SubmissionFolder

_PATIENCE_S = 180.0
_SETTLE_S = 10.0
"""A request that was cut off may still reach the controller for so long."""
_LOST = "the job is found by its name, or submitted, when you run the same command again."


def hand_over(place: SubmissionFolder, submission: Submission, options: Sequence[str]) -> str:
    """Give the script of a submission to the scheduler; gives the job's id.

    Raises:
        UsageError: when the scheduler refuses it.
        SchedulerSilentError: when the scheduler does not answer for a long time.
    """
    if submission.site.scheduler != "slurm":
        return _hand_over_elsewhere(place, submission, options)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return slurm.submit(place.script_path.absolute(), submission.site, options)
        except SchedulerSilentError as error:
            job_id = _found(submission, deadline, error)
            if job_id is not None:
                return job_id


def look_again(submission: Submission) -> str | None:
    """The id of a job whose answer was lost; None when the scheduler never got it.

    Raises:
        SchedulerSilentError: when the scheduler does not answer.
        SaihError: for a scheduler that cannot be asked.
    """
    if submission.site.scheduler != "slurm":
        raise SaihError(
            f"it is not known whether {submission.site.scheduler} has the job {submission.token} "
            f"(submission {submission.number}).",
            "look for that name in the queue: if it is there, wait until it ended; "
            "then delete the folder of the submission.",
        )
    age_s = (datetime.now(UTC) - datetime.fromisoformat(submission.written_utc)).total_seconds()
    if 0 <= age_s < _SETTLE_S:
        time.sleep(_SETTLE_S - age_s)
    return slurm.find(submission.token, submission.written_utc, submission.earlier_job_ids)


def with_earlier(submissions: Sequence[Submission]) -> tuple[Submission, ...]:
    """The submissions of one order, with the jobs of their names that the scheduler has already.

    A name is the same whenever the same submission is prepared: a sweep whose folder was deleted used it.

    Raises:
        SchedulerSilentError: when the scheduler does not answer for a long time.
    """
    if not submissions or submissions[0].site.scheduler != "slurm":
        return tuple(submissions)  # the others cannot be asked, then or later
    names = [one.token for one in submissions]
    known = slurm.known(names, submissions[0].written_utc, _PATIENCE_S)
    return tuple(replace(one, earlier_job_ids=known[one.token]) for one in submissions)


def cancel(site: Site, job_ids: Sequence[str]) -> None:
    """End jobs.

    Raises:
        UsageError: for a scheduler that SAIH only submits to.
    """
    if not job_ids:
        return
    if site.scheduler != "slurm":
        commands = {"pbs": "qdel", "lsf": "bkill", "flux": "flux cancel"}
        raise UsageError(
            f"SAIH does not end jobs of {site.scheduler}: {' '.join(job_ids)}.",
            f"end them by `{commands[site.scheduler]} {' '.join(job_ids)}`.",
        )
    slurm.cancel(job_ids)


def _found(submission: Submission, deadline: float, error: SchedulerSilentError) -> str | None:
    """Wait until the scheduler answers again, and look for the job; None when it surely has none."""
    while True:
        if time.monotonic() + _SETTLE_S > deadline:
            raise SchedulerSilentError(error.problem, _LOST) from error
        time.sleep(_SETTLE_S)
        with suppress(SchedulerSilentError):
            return slurm.find(submission.token, submission.written_utc, submission.earlier_job_ids)


def _hand_over_elsewhere(place: SubmissionFolder, submission: Submission, options: Sequence[str]) -> str:
    scheduler = submission.site.scheduler
    command = submit_command(scheduler, options, place.script_path.absolute())
    source = place.script_path.absolute() if reads_input(scheduler) else None
    answer = call(command, source=source)
    if answer.status and not answer.is_refusal:
        raise silence(command[0], last_line(answer.err or answer.out))
    if answer.status:
        raise UsageError(
            f"{scheduler} refuses the job: {last_line(answer.err or answer.out)}.",
            "change what it names, in the site file or the sweep.",
        )
    return parse_id(scheduler, answer.out)
