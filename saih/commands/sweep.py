"""``saih sweep``: measure, analyze, report; the same command again continues."""

from pathlib import Path

import click

from saih.commands.choice import JSON, REPORTS, Choice, sweep_options


@click.command("sweep")
@sweep_options
@REPORTS
@click.option("--dry-run", "is_dry", is_flag=True, help="Show what would run; write and start nothing.")
@click.option("--no-report", "is_silent", is_flag=True, help="Measure only.")
@click.option("--retry-failed", "is_retrying", is_flag=True, help="Measure failed points again.")
@JSON
def command(
    choice: Choice, reports: Path, *, is_dry: bool, is_silent: bool, is_retrying: bool, is_json: bool
) -> int:
    """Measure a sweep, analyze it and write its report.

    SWEEP is a YAML file, the name of a sweep with results, or a preset (laptop, node, cluster). Points
    that have a result are not measured again. The last line on stdout is the path of the report.
    """
    from saih.commands.sweeping import Wish, show, sweep

    wish = Wish(choice=choice, reports_folder=reports, is_retrying=is_retrying, is_json=is_json)
    if is_dry:
        show(wish)
        return 0
    return sweep(wish, is_reporting=not is_silent)
