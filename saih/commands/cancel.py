"""``saih cancel``: take the jobs of a sweep back; finished points stay."""

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.talk import give, give_json, say


@click.command("cancel")
@click.argument("name")
@folder_options
@JSON
def command(name: str, folders: Folders, *, is_json: bool) -> None:
    """Cancel the jobs of a sweep; finished points stay.

    NAME is a sweep with results, or the path of its folder. `saih sweep` later submits what is missing.
    """
    from saih.commands.cancelling import cancel_jobs
    from saih.commands.outcome import next_command
    from saih.commands.selection import find_folder
    from saih.commands.stage import plan_of
    from saih.store.sweep_folder import point_states

    folder = find_folder(name, folders.results)
    plan = plan_of(folder, folders.data)
    states = point_states(folder, [planned.point.point_id for planned in plan.points])
    cancelled = cancel_jobs(folder, states)
    if is_json:
        jobs = [{"job_id": job.job_id, "task": job.task, "batch": job.batch} for job in cancelled]
        give_json("cancel", {"sweep": folder.name, "cancelled": jobs})
        return
    for job in cancelled:
        batch = f", batch {job.batch}" if job.batch is not None else ""
        give(f"cancelled job {job.job_id} ({job.task}{batch}; it was {job.condition})")
    if not cancelled:
        say(f"{folder.name} has no job to cancel.")
    left = sum(state.is_to_be_measured for state in states.values())
    say(f"{len(states) - left} of {len(states)} points have an outcome and keep it.")
    say(f"next: {next_command(folder, states)}")
