"""``saih plan``: what a sweep would run, with costs."""

import click

from saih.commands.choice import JSON, Choice, sweep_options
from saih.commands.talk import give, give_json


@click.command("plan")
@sweep_options
@JSON
def command(choice: Choice, *, is_json: bool) -> None:
    """Show what a sweep would run, with costs.

    SWEEP is a YAML file, the name of a sweep with results, or a preset (laptop, node, cluster). Nothing
    is started or written.
    """
    from saih.commands.listing import plan_json, plan_text
    from saih.commands.selection import read_choice
    from saih.commands.stage import plan_here, require_points

    sweep = read_choice(choice)
    plan = plan_here(sweep, choice.data_folder)
    if not is_json:
        give(plan_text(sweep, plan))
    require_points(sweep, plan)
    if is_json:
        give_json("plan", plan_json(sweep, plan))
