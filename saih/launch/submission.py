"""Jobs handed to a scheduler: written down first, and found again when the answer is lost."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

from saih.domain.batch import Receipt
from saih.domain.errors import SaihError, UsageError
from saih.domain.site import Site
from saih.launch import slurm
from saih.launch.lock import sweep_lock
from saih.launch.submission_handover import cancel, hand_over, look_again, with_earlier
from saih.launch.submission_plan import Order, Prepared, prepare, waiting_options
from saih.store.batch_folder import BatchFolder, write_batch
from saih.store.submission_folder import (
    SubmissionFolder,
    read_receipt,
    read_submission,
    submission_numbers,
    withdraw_submission,
    write_receipt,
    write_submission,
)
from saih.store.sweep_folder import SweepFolder

_LOCK_PATIENCE_S = 5.0


def submit(folder: SweepFolder, order: Order, warn: Callable[[str], None]) -> tuple[Receipt, ...]:
    """Write the batches of an order down and submit its jobs; gives the scheduler's answers.

    Raises:
        UsageError: when the scheduler refuses a job, or another process submits the same sweep; none of the
            order's jobs is left then, or the error tells which.
        SchedulerSilentError: when the scheduler does not answer; the next ``reconcile`` finds what it took.
    """
    with submitting_alone(folder, _LOCK_PATIENCE_S, warn):
        reconcile_alone(folder)
        prepared = _prepared(folder, order)
        for batch in order.batches:
            if not write_batch(BatchFolder(sweep=folder, number=batch.number), batch):
                raise SaihError(
                    f"{folder.path} has a batch {batch.number} already: another command submitted jobs of "
                    "this sweep meanwhile.",
                    "run the same command again; it submits what is missing then.",
                )
        return _submit_all(folder, prepared)


def reconcile(folder: SweepFolder, warn: Callable[[str], None]) -> tuple[int, ...]:
    """Find the jobs whose ids were lost on the way back; gives the numbers of their submissions.

    A submission that the scheduler never got is withdrawn.

    Raises:
        SchedulerSilentError: when the scheduler does not answer.
    """
    with submitting_alone(folder, _LOCK_PATIENCE_S, warn):
        return reconcile_alone(folder)


@contextmanager
def submitting_alone(folder: SweepFolder, patience_s: float, warn: Callable[[str], None]) -> Iterator[None]:
    """Keep everybody else from submitting jobs of the sweep.

    Raises:
        UsageError: when somebody still does so after ``patience_s``.
    """
    with sweep_lock(folder.path / "submit.lock", patience_s, warn):
        yield


def reconcile_alone(folder: SweepFolder) -> tuple[int, ...]:
    """The same for who is ``submitting_alone`` already."""
    found = []
    for number in submission_numbers(folder):
        place = SubmissionFolder(sweep=folder, number=number)
        if read_receipt(place) is not None:
            continue
        with suppress(FileNotFoundError):  # ended between making the folder and writing what to ask
            job_id = look_again(read_submission(place))
            if job_id is None:
                withdraw_submission(place)
            else:
                write_receipt(place, Receipt(job_id=job_id, submitted_utc=_now()))
                found.append(number)
    return tuple(found)


def max_elements(site: Site, num_batches: int) -> int:
    """Most elements of one job array for so many batches at a site."""
    if num_batches == 1:
        return 1
    if site.scheduler == "slurm":
        return slurm.max_array_size()
    return {"pbs": 1000, "lsf": 1000}.get(site.scheduler, 1)  # what they take unless configured otherwise


def _prepared(folder: SweepFolder, order: Order) -> tuple[Prepared, ...]:
    jobs = prepare(folder, order, max_elements(order.site, len(order.batches)))
    submissions = with_earlier([one.submission for one in jobs])
    return tuple(replace(one, submission=told) for one, told in zip(jobs, submissions, strict=True))


def _submit_all(folder: SweepFolder, prepared: Sequence[Prepared]) -> tuple[Receipt, ...]:
    receipts: dict[int, Receipt] = {}
    for one in prepared:
        submission = one.submission
        place = SubmissionFolder(sweep=folder, number=submission.number)
        if not write_submission(place, submission, one.script):
            raise SaihError(f"{place.path} was written by somebody else.", "run the same command again.")
        options = waiting_options(submission, [receipts[number].job_id for number in submission.after])
        try:
            job_id = hand_over(place, submission, options)
        except UsageError as error:
            withdraw_submission(place)
            _take_back(submission.site, [receipt.job_id for receipt in receipts.values()], error)
            raise
        receipts[submission.number] = Receipt(job_id=job_id, submitted_utc=_now())
        write_receipt(place, receipts[submission.number])
    return tuple(receipts.values())


def _take_back(site: Site, job_ids: Sequence[str], refusal: UsageError) -> None:
    """End the jobs before a refused one; where that cannot be, say so beside the refusal."""
    try:
        cancel(site, job_ids)
    except SaihError as left:
        raise UsageError(refusal.problem, f"{refusal.remedy} {left.problem} {left.remedy}") from refusal


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
