"""``saih generate``: the data sets of a sweep."""

import click

from saih.commands.choice import JSON, Choice, sweep_options
from saih.commands.talk import give, give_json


@click.command("generate")
@sweep_options
@JSON
def command(choice: Choice, *, is_json: bool) -> None:
    """Make the data sets of a sweep.

    SWEEP is a YAML file, the name of a sweep with results, or a preset. What is there already is kept.
    """
    from saih.commands.single_task import run_task

    plan = run_task(choice, "generate")
    if is_json:
        give_json("data", {"data_folder": str(choice.data_folder), "data_bytes": plan.data_bytes})
    else:
        give(str(choice.data_folder))
