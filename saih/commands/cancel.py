"""``saih cancel``: take the jobs of a sweep back; finished points stay."""

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.talk import give, give_json, say


@click.command("cancel")
@click.argument("name")
@folder_options
@JSON
def command(name: str, folders: Folders, *, is_json: bool) -> int:
    """Cancel the jobs of a sweep; finished points stay.

    NAME is a sweep with results, or the path of its folder. `saih sweep` later submits what is missing.
    Ends with 4 if it cannot be read what was submitted; the rest is cancelled.
    """
    from saih.commands.cancelling import cancel_jobs
    from saih.commands.outcome import next_command
    from saih.commands.selection import find_folder
    from saih.commands.stage import plan_of
    from saih.domain.errors import DamagedData
    from saih.store.sweep_folder import point_states

    folder = find_folder(name, folders.results)
    plan = plan_of(folder, folders.data)
    states = point_states(folder, [planned.point.point_id for planned in plan.points])
    account = cancel_jobs(folder, states)
    cancelled, exit_code = account.live_jobs, DamagedData.exit_code if account.damages else 0
    if is_json:
        jobs = [{"job_id": job.job_id, "task": job.task, "batch": job.batch} for job in cancelled]
        content = {"sweep": folder.name, "cancelled": jobs, "damages": list(account.damages)}
        give_json("cancel", content)
        return exit_code
    for job in cancelled:
        batch = f", batch {job.batch}" if job.batch is not None else ""
        give(f"cancelled job {job.job_id} ({job.task}{batch}; it was {job.condition})")
    if not cancelled:
        say(f"{folder.name} has no job to cancel{', as far as can be read' if exit_code else ''}.")
    left = sum(state.is_to_be_measured for state in states.values())
    say(f"{len(states) - left} of {len(states)} points have an outcome and keep it.")
    say(f"next: {next_command(folder, states)}")
    return exit_code
