"""``saih status``: what became of every point, and why."""

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.lines import stdout_width
from saih.commands.talk import give, give_json, say


@click.command("status")
@click.argument("name")
@folder_options
@JSON
def command(name: str, folders: Folders, *, is_json: bool) -> None:
    """Show what became of every point of a sweep, and why.

    NAME is a sweep with results, or the path of its folder. Under a scheduler: where every point stands,
    what each job is doing, why it waits, and what to do. The scheduler is asked at most once in 30 s.
    """
    from saih.commands.adaptive_rest import adaptive_words
    from saih.commands.outcome import counts, next_command, origin_json, states_json
    from saih.commands.selection import find_folder
    from saih.commands.situation import read_account
    from saih.commands.stage import plan_of
    from saih.commands.standing import account_json, standing_counts
    from saih.commands.status_text import status_text
    from saih.launch.lock import is_held
    from saih.store.bundle_origin import read_origin
    from saih.store.sweep_folder import point_states

    folder = find_folder(name, folders.results)
    plan = plan_of(folder, folders.data)
    states = point_states(folder, [planned.point.point_id for planned in plan.points])
    account = read_account(folder, states)
    origin = read_origin(folder)
    advice = next_command(folder, states, live_points=account.live_points)
    is_going_on = is_held(folder.path / "lock")
    if is_json:
        content = {"is_going_on": is_going_on, **states_json(plan, states), **account_json(account)}
        give_json("status", {"sweep": folder.name, "next": advice, "origin": origin_json(origin), **content})
        return
    give(status_text(plan, states, account, stdout_width(), is_held=is_going_on))
    found = standing_counts(plan, account.standings) if account.jobs else counts(plan, states)
    for words in (origin.statement if origin is not None else "", adaptive_words(folder)):
        if words:
            say(words)
    say("; ".join(f"{number} {state}" for state, number in found.items()))
    if account.situation.view is not None and account.situation.view.problem:
        say(f"the scheduler could not be asked: {account.situation.view.problem}")
    say("`saih sweep` is at work on it now: there is nothing to do" if is_going_on else f"next: {advice}")
