"""Where the points and jobs of a sweep under a scheduler stand, as tables and as JSON values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from saih.commands.situation import Account
from saih.commands.table import table
from saih.launch.point_standing import PointStanding, Standing
from saih.launch.situation import JobStatus
from saih.planner.plan import Plan

_SHOWN_CHARACTERS = 100
_SHOWN_ENDED_JOBS = 8


def standings_text(plan: Plan, account: Account) -> str:
    """Jobs, then points, then whole reasons and what to do."""
    parts = [jobs_text(account.jobs), "", points_text(plan, account.standings), *_advice(plan, account)]
    return "\n".join(parts)


def jobs_text(jobs: Sequence[JobStatus]) -> str:
    """A line for each job that may be live, and for the last that ended."""
    ended = [job for job in jobs if not job.is_live]
    hidden = ended[:-_SHOWN_ENDED_JOBS]
    rows = [
        (job.job_id or "?", job.task, _batch(job), str(job.condition), job.words)
        for job in jobs
        if job not in hidden
    ]
    earlier = [f"and {len(hidden)} earlier jobs that ended"] if hidden else []
    return "\n".join([table(("job", "task", "batch", "state", ""), rows), *earlier])


def points_text(plan: Plan, standings: Mapping[str, PointStanding]) -> str:
    """A line for each point."""
    names = tuple(plan.points[0].labels) if plan.points else ()
    rows = [
        (
            planned.point.point_id,
            *planned.labels.values(),
            str(standings[planned.point.point_id].standing),
            _brief(standings[planned.point.point_id].why),
        )
        for planned in plan.points
    ]
    rows += [
        (
            dropped.point.point_id,
            *(dropped.labels.get(name, "") for name in names),
            "dropped",
            _brief(dropped.reason),
        )
        for dropped in plan.dropped
    ]
    return table(("point", *names, "state", "where or why"), rows)


def standing_counts(plan: Plan, standings: Mapping[str, PointStanding]) -> dict[str, int]:
    """How many points stand where, in the order of their life; what is not there is left out."""
    found = Counter(standings[planned.point.point_id].standing for planned in plan.points)
    told = {str(standing): found[standing] for standing in Standing if found[standing]}
    return {**told, **({"dropped": len(plan.dropped)} if plan.dropped else {})}


def account_json(account: Account) -> dict[str, Any]:
    """Jobs and standings as JSON values."""
    view = account.situation.view
    return {
        "scheduler": {
            "asked_utc": view.asked_utc if view else None,
            "problem": view.problem if view else "the scheduler was not asked",
        },
        "jobs": [
            {
                "submission": job.submission,
                "task": job.task,
                "batch": job.batch,
                "job_id": job.job_id,
                "state": str(job.condition),
                "words": job.words,
                "advice": job.advice,
            }
            for job in account.jobs
        ],
        "standings": {
            point_id: {
                "standing": str(one.standing),
                "why": one.why,
                "advice": one.advice,
                "batch": one.batch,
            }
            for point_id, one in account.standings.items()
        },
    }


def _advice(plan: Plan, account: Account) -> list[str]:
    """Reasons too long for the table, whole; then each piece of advice once, with what it is for."""
    long = [
        f"\n{planned.point.point_id}: {account.standings[planned.point.point_id].why}"
        for planned in plan.points
        if account.standings[planned.point.point_id].standing is Standing.FAILED
        and len(account.standings[planned.point.point_id].why) > _SHOWN_CHARACTERS
    ]
    for_jobs = {job.advice: f"job {job.job_id}" for job in account.jobs if job.is_live and job.advice}
    for_points = {
        one.advice: one.why.partition(":")[0]
        for one in account.standings.values()
        if one.standing is Standing.FAILED and one.advice
    }
    return [*long, *(f"\n-> {what}: {advice}" for advice, what in {**for_jobs, **for_points}.items())]


def _batch(job: JobStatus) -> str:
    return "" if job.batch is None else str(job.batch)


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[: _SHOWN_CHARACTERS - 3]}..."
