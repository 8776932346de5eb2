"""Where the points and jobs of a sweep under a scheduler stand, as tables and as JSON values."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from saih.commands.overview import PointLine, dropped_lines
from saih.commands.situation import Account
from saih.commands.table import table
from saih.launch.point_standing import PointStanding, Standing
from saih.launch.situation import JobStatus
from saih.planner.plan import Plan
from saih.reports.terminal_text import wrapped

_SHOWN_ENDED_JOBS = 8


def jobs_text(jobs: Sequence[JobStatus], width: int | None = None) -> str:
    """A line for each job that may be live, and for the last that ended."""
    ended = [job for job in jobs if not job.is_live]
    hidden = ended[:-_SHOWN_ENDED_JOBS]
    rows = [
        (job.job_id or "?", job.task, _batch(job), str(job.condition), job.words)
        for job in jobs
        if job not in hidden
    ]
    earlier = [f"and {len(hidden)} earlier jobs that ended"] if hidden else []
    return "\n".join(
        [table(("job", "task", "batch", "state", ""), rows, width=width, cuttable=((4,),)), *earlier]
    )


def standing_lines(plan: Plan, standings: Mapping[str, PointStanding]) -> tuple[PointLine, ...]:
    """Where each point stands, and why; then the dropped ones."""
    return tuple(
        PointLine(
            point_id=planned.point.point_id,
            labels=planned.labels,
            state=str(one.standing),
            why=one.why,
            num_attempts=None,
            is_done=one.standing is Standing.DONE,
        )
        for planned in plan.points
        for one in (standings[planned.point.point_id],)
    ) + dropped_lines(plan)


def advice_lines(account: Account, width: int) -> list[str]:
    """Each piece of advice once, with what it is for."""
    for_jobs = {job.advice: f"job {job.job_id}" for job in account.jobs if job.is_live and job.advice}
    for_points = {
        one.advice: one.why.partition(":")[0]
        for one in account.standings.values()
        if one.standing is Standing.FAILED and one.advice
    }
    told = {**for_jobs, **for_points}.items()
    return [line for advice, what in told for line in wrapped(f"-> {what}: {advice}", width, rest="   ")]


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


def _batch(job: JobStatus) -> str:
    return "" if job.batch is None else str(job.batch)
