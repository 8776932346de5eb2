"""``saih search``: for each cost the model that learns best."""

import click

from saih.commands.choice import JSON, Choice, sweep_options
from saih.commands.validate import AGAIN, SEED


@click.command("search")
@sweep_options
@click.option(
    "--budget",
    "budget_s",
    type=click.FloatRange(min=1, max=1e7),
    default=3600.0,
    show_default=True,
    help="About how many seconds the search may take.",
)
@SEED
@AGAIN
@JSON
def command(choice: Choice, budget_s: float, seed: int, *, is_again: bool, is_json: bool) -> int:
    """Find for each cost the model that learns best.

    SWEEP is a YAML file, the name of a sweep with results, or a preset; the costs are those of its problems
    on the largest of its data sets that the budget can make. Ranks try models at the same time, end those
    early that learn worse than others, and begin larger ones from what smaller ones learnt. What is found is
    kept with the results and drawn in the report. A search that was stopped goes on.
    """
    from saih.commands.studying import Request, search_here
    from saih.domain.study import StudyPlan

    plan = StudyPlan(budget_s=budget_s, seed=seed)
    return search_here(Request(choice=choice, plan=plan, is_again=is_again, is_json=is_json))
