"""Where every point of a sweep stands: done, running, waiting, failed or not submitted, and why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from saih.domain.record import Outcome
from saih.launch.batch_state import moment
from saih.launch.situation import Condition, JobStatus, Situation, Worked
from saih.store.point_state import PointState, PointStatus

_AGAIN = "`--retry-failed` measures it again"
_ADVICE = {
    Outcome.OUT_OF_MEMORY: "a result: the edge of what fits. A smaller batch or more nodes move it",
    Outcome.TIMED_OUT: f"its log shows where it hung; {_AGAIN}, with a larger timing.budget_s if it is slow",
    Outcome.DIVERGED: f"its loss is not finite; another seed or precision may help, {_AGAIN}",
    Outcome.FAILED: f"correct what the reason names; {_AGAIN}",
}


_FIRST = {"generate": "data sets come", "ceilings": "ceilings come"}


class Standing(StrEnum):
    """Where a point stands."""

    DONE = "done"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"
    NOT_SUBMITTED = "not submitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PointStanding:
    """One point: where it stands, why, and what to do about it."""

    standing: Standing
    why: str
    advice: str
    batch: int | None
    """The batch that has it, or had it last."""


def point_standings(
    states: Mapping[str, PointState], situation: Situation, jobs: Sequence[JobStatus]
) -> Mapping[str, PointStanding]:
    """Where each of these points stands."""
    jobs_of = _measuring_jobs(situation, jobs)
    return {
        point_id: _standing(point_id, state, situation, jobs_of.get(point_id))
        for point_id, state in states.items()
    }


def live_points(situation: Situation, jobs: Sequence[JobStatus]) -> Mapping[str, JobStatus]:
    """The points that a job may still work on, each with that job: never to be submitted again."""
    return {point_id: job for point_id, job in _measuring_jobs(situation, jobs).items() if job.is_live}


def _measuring_jobs(situation: Situation, jobs: Sequence[JobStatus]) -> Mapping[str, JobStatus]:
    """Each point's measuring job: a live one, else the last."""
    found: dict[str, JobStatus] = {}
    for job in jobs:
        worked = situation.batches.get(job.batch) if job.batch is not None else None
        if job.task != "measure" or worked is None:
            continue
        for point in worked.batch.points:
            if job.is_live or point.point_id not in found or not found[point.point_id].is_live:
                found[point.point_id] = job
    return found


def _standing(point_id: str, state: PointState, situation: Situation, job: JobStatus | None) -> PointStanding:
    batch = job.batch if job else None
    if state.status is PointStatus.COMPLETED:
        return PointStanding(standing=Standing.DONE, why="", advice="", batch=batch)
    if state.status is PointStatus.FAILED and state.outcome is not None:
        why, advice = f"{state.outcome}: {state.reason}", _ADVICE.get(state.outcome, _AGAIN)
        return PointStanding(standing=Standing.FAILED, why=why, advice=advice, batch=batch)
    if job is not None and job.is_live and job.batch is not None:
        worked = situation.batches[job.batch]
        standing, why = _in_live_job(point_id, worked, job)
        return PointStanding(standing=standing, why=why, advice=job.advice, batch=batch)
    return PointStanding(standing=Standing.NOT_SUBMITTED, why=_why_not(state, job), advice="", batch=batch)


def _in_live_job(point_id: str, worked: Worked, job: JobStatus) -> tuple[Standing, str]:
    said, holder = worked.current, worked.holder
    is_at_work = job.condition in (Condition.RUNNING, Condition.UNKNOWN)
    if is_at_work and said and holder and said.point_id == point_id:
        doubt = "" if job.condition is Condition.RUNNING else f"; {job.head}"
        return Standing.RUNNING, f"on {holder.host} since {moment(said.at_utc)}, job {job.job_id}{doubt}"
    if is_at_work and said and said.task not in ("measure", "ended"):
        return Standing.WAITING, f"{_FIRST.get(said.task, said.task)} first: {job.head}"
    if job.condition is Condition.RUNNING:
        return Standing.WAITING, f"its turn in batch {job.batch}: {job.head}"
    return Standing.WAITING, job.head


def _why_not(state: PointState, job: JobStatus | None) -> str:
    reason = state.reason
    if job is None:
        begun = "begun, and stopped before its end" if state.num_attempts else ""
        return reason or begun
    return "; ".join(part for part in (reason, job.words) if part)
