"""What each job and point of a sweep is doing, in words: from the files, and what the scheduler says. Pure.

The outcomes of points decide; the scheduler's word explains what has none yet, and may be stale, partial or
missing. Whatever is not known to have ended counts as live, so that no point is ever worked on twice.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from saih.domain.site import Site
from saih.launch.job_view import JobView
from saih.launch.scheduler_view import SchedulerView
from saih.launch.situation import Condition, JobStatus, Situation, Submitted, Worked
from saih.launch.waiting import explain

_ANSWER_PATIENCE_S = 120.0
"""A submission without an answer may still be on its way for this long."""
_RUNNING = ("RUNNING", "COMPLETING", "CONFIGURING", "STAGE_OUT", "SIGNALING", "RESIZING", "STOPPED")
_HOLDS = ("REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
_LEFT_SILENTLY = (
    "once it has left the queue without a word, delete submissions/submission-NUMBER; then `saih sweep` "
    "submits what is missing"
)
_ENDS = {
    "COMPLETED": "ended",
    "CANCELLED": "was cancelled",
    "TIMEOUT": "ran into its time limit",
    "DEADLINE": "missed its deadline",
    "NODE_FAIL": "lost a node",
    "BOOT_FAIL": "got a node that did not boot",
    "OUT_OF_MEMORY": "ran out of memory",
    "PREEMPTED": "made room for another job",
    "REVOKED": "was revoked",
    "FAILED": "failed",
}


def job_statuses(situation: Situation) -> tuple[JobStatus, ...]:
    """Every job of the sweep, oldest first."""
    return tuple(
        _job_status(situation, submitted, element)
        for submitted in situation.submissions
        for element in range(submitted.submission.num_elements)
    )


def moment(utc: str) -> str:
    """A stored time as people read it, such as ``2026-11-20 10:29:00 UTC``."""
    return f"{utc[:19].replace('T', ' ')} UTC"


def _job_status(situation: Situation, submitted: Submitted, element: int) -> JobStatus:
    submission = submitted.submission
    number = submission.batches[element] if submission.task == "measure" and submission.batches else None
    worked = situation.batches.get(number) if number is not None else None
    seen = _seen(situation.view.jobs if situation.view else (), submitted, element)
    job_id = _job_id(submitted, seen, element)
    condition, words, advice = _told(situation, submitted, element, worked, seen)
    if worked is not None:
        words = "; ".join([words, *_how_far(worked, condition, situation)])
    return JobStatus(
        submission=submission.number,
        task=submission.task,
        batch=number,
        job_id=job_id,
        condition=condition,
        words=words,
        advice=advice.replace("JOB", job_id),
    )


def _told(
    situation: Situation, submitted: Submitted, element: int, worked: Worked | None, seen: JobView | None
) -> tuple[Condition, str, str]:
    """A job's condition, in words, and what to do."""
    job_id = _job_id(submitted, seen, element)
    if seen is not None and not _is_over(seen) and situation.view is not None:
        if worked is not None and _began_since(worked, situation.view):
            return Condition.RUNNING, f"job {job_id} has begun", ""
        return _queued(seen, job_id, worked, situation.finished)
    if worked is not None and not _left(worked, situation):
        return Condition.ENDED, "all its points have an outcome", ""
    return _not_queued(situation, submitted, element, job_id, seen)


def _queued(
    seen: JobView, job_id: str, worked: Worked | None, finished: AbstractSet[str]
) -> tuple[Condition, str, str]:
    """A job that the scheduler has in its queue."""
    state = seen.state
    if state in _RUNNING:
        where = f" on {seen.nodes}" if seen.nodes else ""
        verb = {"COMPLETING": "is ending", "CONFIGURING": "gets its nodes ready"}.get(state, "running")
        if worked is not None and worked.current is not None and worked.current.task == "ended":
            verb = "is ending"
        return Condition.RUNNING, f"job {job_id} {verb}{where}", ""
    reason = f" ({seen.reason})" if seen.reason and seen.reason != "None" else ""
    said = f"job {job_id} {state}{reason}"
    if worked is not None and all(point.point_id in finished for point in worked.batch.points):
        return Condition.SPARE, f"{said}, but all its points have an outcome", "`saih cancel` removes it"
    wait = explain("held" if state in _HOLDS and not seen.reason else seen.reason)
    if state == "SUSPENDED":
        return Condition.WAITING, f"{said}: it was stopped for a while by the scheduler", ""
    condition = Condition.STUCK if wait.is_stuck else Condition.WAITING
    return condition, f"{said}: {wait.words}" if wait.words else said, wait.advice


def _began_since(worked: Worked, view: SchedulerView) -> bool:
    """Whether somebody took the batch up after the scheduler was asked."""
    return worked.holder is not None and _seconds(view.asked_utc, worked.holder.since_utc) > 0


def _not_queued(
    situation: Situation, submitted: Submitted, element: int, job_id: str, seen: JobView | None
) -> tuple[Condition, str, str]:
    """A job that is not in the scheduler's queue, or whose queue nobody saw."""
    view = situation.view
    if _said_its_end(situation, submitted, element):
        return Condition.ENDED, f"job {job_id} is over, as its files tell", ""
    if view is None or view.problem:
        why = view.problem.rstrip(".") if view else "the scheduler was not asked"
        advice = "" if submitted.submission.site.scheduler == "slurm" else _LEFT_SILENTLY
        number = submitted.submission.number
        words = f"{f'job {job_id}' if job_id else 'a job without a known id'}: {why}"
        return Condition.UNKNOWN, words, advice.replace("NUMBER", str(number))
    if seen is None and _may_be_too_new(submitted, view):
        is_taken = submitted.receipt is not None
        words = f"job {job_id} was submitted a moment ago" if is_taken else "it is being submitted right now"
        return Condition.WAITING, words, ""
    ended = _seen(view.accounts, submitted, element) or seen
    if ended is None and submitted.receipt is None:
        return Condition.ENDED, "it never reached the scheduler", "`saih sweep` submits what is missing"
    return Condition.ENDED, f"job {job_id} {_end(ended)}", ""


def _may_be_too_new(submitted: Submitted, view: SchedulerView) -> bool:
    """Whether the scheduler may not have had the job yet when it was asked."""
    if submitted.receipt is not None:
        return _seconds(submitted.receipt.submitted_utc, view.asked_utc) <= 0
    return _seconds(submitted.submission.written_utc, view.asked_utc) <= _ANSWER_PATIENCE_S


def _end(ended: JobView | None) -> str:
    """How a job that is not queued any more ended, as far as anybody knows."""
    if ended is None:
        return "is gone: the scheduler no longer knows it"
    state = ended.state
    if state not in _ENDS:
        return f"is gone: it is no longer queued, though the accounts still say {state}"
    said = ", ".join(part for part in (state, ended.reason) if part and part != "None")
    return f"{_ENDS[state]} ({said})"


def _said_its_end(situation: Situation, submitted: Submitted, element: int) -> bool:
    """Whether the files alone tell that a job is over, of a scheduler that cannot be asked.

    Slurm can be, and may put a job back into its queue that ended so.
    """
    submission = submitted.submission
    if submission.site.scheduler == "slurm":
        return False
    if submission.task == "measure":
        worked = situation.batches.get(submission.batches[element]) if submission.batches else None
        return worked is not None and _is_last_word(worked, submission.site)
    others = [one for one in situation.submissions if one.submission.task == "measure"]
    if submission.task == "generate":  # what waits for it begins only after its end
        return any(
            worked.holder is not None
            for one in others
            if submission.number in one.submission.after
            for number in one.submission.batches
            if (worked := situation.batches.get(number)) is not None
        )
    return all(
        _is_over_by_files(situation, one, element)
        for one in others
        if one.submission.number in submission.after
        for element in range(one.submission.num_elements)
    )


def _is_over_by_files(situation: Situation, submitted: Submitted, element: int) -> bool:
    worked = situation.batches.get(submitted.submission.batches[element])
    if worked is not None and not _left(worked, situation):
        return True
    return _said_its_end(situation, submitted, element)


def _is_last_word(worked: Worked, site: Site) -> bool:
    """Whether the holder has ended for good; LSF puts a job back by its exit code, when that says so."""
    said = worked.current
    if said is None or said.task != "ended":
        return False
    return not (site.scheduler == "lsf" and site.is_requeued and said.text.startswith("stopped"))


def _how_far(worked: Worked, condition: Condition, situation: Situation) -> list[str]:
    """What the batch's own files tell of it."""
    holder, said = worked.holder, worked.current
    if condition is Condition.ENDED:
        is_early = said is not None and _left(worked, situation)
        return [f"its last word: {' '.join(said.text.split())}"] if said and is_early else []
    if holder is None:
        return []
    if said is None:
        return [f"taken up on {holder.host} at {moment(holder.since_utc)}"]
    told = f"{said.num_done} of {said.num_points} points done"
    if condition is Condition.RUNNING and said.text:
        told += f", {said.text}"
    return [f"{told} (heard from {holder.host} at {moment(said.at_utc)})"]


def _seen(views: Sequence[JobView], submitted: Submitted, element: int) -> JobView | None:
    """What the scheduler says of one element; waiting elements may be told together, as one job."""
    submission, receipt = submitted.submission, submitted.receipt
    ours = [
        view
        for view in views
        if (
            view.job_id == receipt.job_id
            if receipt
            else view.name == submission.token and view.job_id not in submission.earlier_job_ids
        )
    ]
    exact = [view for view in ours if view.index == element]
    together = [view for view in ours if view.index is None]
    found = exact or together
    return found[-1] if found else None


def _job_id(submitted: Submitted, seen: JobView | None, element: int) -> str:
    number = submitted.receipt.job_id if submitted.receipt else seen.job_id if seen else ""
    return f"{number}_{element}" if number and submitted.submission.num_elements > 1 else number


def _left(worked: Worked, situation: Situation) -> int:
    return sum(point.point_id not in situation.finished for point in worked.batch.points)


def _is_over(view: JobView) -> bool:
    return view.state in _ENDS


def _seconds(begin_utc: str, end_utc: str) -> float:
    return (datetime.fromisoformat(end_utc) - datetime.fromisoformat(begin_utc)).total_seconds()
