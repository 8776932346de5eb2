"""``saih status``: what became of every point, and why."""

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.talk import give, give_json, say


@click.command("status")
@click.argument("name")
@folder_options
@JSON
def command(name: str, folders: Folders, *, is_json: bool) -> None:
    """Show what became of every point of a sweep, and why.

    NAME is a sweep with results, or the path of its folder.
    """
    from saih.commands.outcome import counts, next_command, states_json, states_text
    from saih.commands.selection import find_folder
    from saih.commands.stage import plan_of
    from saih.store.sweep_folder import point_states

    folder = find_folder(name, folders.results)
    plan = plan_of(folder, folders.data)
    states = point_states(folder, [planned.point.point_id for planned in plan.points])
    advice = next_command(folder, states)
    if is_json:
        give_json("status", {"sweep": folder.name, "next": advice, **states_json(plan, states)})
        return
    give(states_text(plan, states))
    say("; ".join(f"{number} {state}" for state, number in counts(plan, states).items()))
    say(f"next: {advice}")
