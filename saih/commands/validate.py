"""``saih validate``: whether the problems of a sweep can be learnt."""

import click

from saih.commands.choice import JSON, Choice, sweep_options

BUDGET = click.option(
    "--budget",
    "budget_s",
    type=click.FloatRange(min=1, max=1e7),
    default=300.0,
    show_default=True,
    help="About how many seconds each problem may take.",
)
AGAIN = click.option("--again", "is_again", is_flag=True, help="Also what was studied already.")
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**31), default=0, show_default=True, help="Decides first weights."
)


@click.command("validate")
@sweep_options
@click.option("--point", "asked", metavar="ID", multiple=True, help="Only this point; may be repeated.")
@BUDGET
@SEED
@AGAIN
@JSON
def command(
    choice: Choice,
    asked: tuple[str, ...],
    budget_s: float,
    seed: int,
    *,
    is_again: bool,
    is_json: bool,
) -> int:
    """Show whether the problems of a sweep can be learnt.

    SWEEP is a YAML file, the name of a sweep with results, or a preset. Each problem goes through gates G0 to
    G8: signals at the start, a few samples by heart, baselines, leaving the plateau, shuffled labels, the
    final error, losses, growth of the data, and the data themselves. A problem too large for the budget is
    studied by a twin of the same depth and width. Reports then tell which points passed. Exit code 1: a
    gate failed.
    """
    from saih.commands.studying import Request, validate_here
    from saih.domain.study import StudyPlan

    plan = StudyPlan(budget_s=budget_s, seed=seed)
    request = Request(choice=choice, plan=plan, asked=asked, is_again=is_again, is_json=is_json)
    return validate_here(request)
