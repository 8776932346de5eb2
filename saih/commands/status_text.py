"""What ``saih status`` prints: jobs, how far the sweep is, then its points and what to do."""

from collections.abc import Mapping

from saih.commands.outcome import state_lines
from saih.commands.overview import overview_text, progress_lines
from saih.commands.remaining import time_left
from saih.commands.situation import Account
from saih.commands.standing import advice_lines, jobs_text, standing_lines
from saih.planner.plan import Plan
from saih.store.point_state import PointState


def status_text(
    plan: Plan, states: Mapping[str, PointState], account: Account, width: int, *, is_held: bool
) -> str:
    """The whole text; ``is_held`` while a driver that shares these files runs the sweep.

    How long it may take is told only while something is going on.
    """
    is_going_on = is_held or bool(account.live_jobs)
    lines = (
        standing_lines(plan, account.standings)
        if account.jobs
        else state_lines(plan, states, is_going_on=is_going_on)
    )
    left = {point_id for point_id, state in states.items() if state.is_to_be_measured} if is_going_on else ()
    jobs = [jobs_text(account.jobs, width), ""] if account.jobs else []
    progress = progress_lines(lines, time_left(plan, left, account.standings), width)
    text = [*jobs, *progress, "", overview_text(lines, width), *advice_lines(account, width)]
    return "\n".join(text)
