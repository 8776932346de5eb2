"""``saih tune``: the fastest execution of each point of a sweep."""

import click

from saih.commands.choice import JSON, Choice, sweep_options
from saih.domain.errors import UsageError


def _batches(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[int, ...]:
    """Whole numbers between commas."""
    try:
        found = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise UsageError(f"--batches is {text!r}", "give whole numbers, such as 1,2,4,8.") from error
    if min(found, default=1) < 1:
        raise UsageError(f"--batches is {text!r}", "give batches of 1 or more samples.")
    return found


@click.command("tune")
@sweep_options
@click.option("--point", "asked", metavar="ID", multiple=True, help="Only this point; may be repeated.")
@click.option(
    "--budget",
    "budget_s",
    type=click.FloatRange(min=0.1, max=1e6),
    default=20.0,
    show_default=True,
    help="About how many seconds the search of each point may take.",
)
@click.option(
    "--batches",
    default="",
    metavar="N,...",
    callback=_batches,
    help="Tell the rate of these batches of one rank too.",
)
@click.option("--again", "is_again", is_flag=True, help="Also what was searched already.")
@JSON
def command(
    choice: Choice,
    asked: tuple[str, ...],
    budget_s: float,
    batches: tuple[int, ...],
    *,
    is_again: bool,
    is_json: bool,
) -> int:
    """Search the fastest execution of each point.

    SWEEP is a YAML file, the name of a sweep with results, or a preset. Points that ask for execution: tuned
    are searched as they ask; where none does, all are searched in any number format. Settings are tried one
    after the other in windows of steps beside the fastest by then. What is found is kept with the results,
    and sweeps with execution: tuned in the same environment run with it.
    """
    from saih.commands.tuning import Request, tune_here
    from saih.domain.tuning import TuningPlan

    plan = TuningPlan(budget_s=budget_s, has_yardsticks=True, batches=batches)
    return tune_here(Request(choice=choice, plan=plan, asked=asked, is_again=is_again, is_json=is_json))
