"""``saih compare``: two sweeps on their matched points."""

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.talk import give, give_json


@click.command("compare")
@click.argument("a")
@click.argument("b")
@folder_options
@click.option(
    "--min-ratio",
    type=click.FloatRange(min=0, min_open=True),
    help="Fail with 5 unless the mean speed of A is at least this many times that of B.",
)
@JSON
def command(a: str, b: str, folders: Folders, *, min_ratio: float | None, is_json: bool) -> None:
    """Compare two sweeps on their matched points.

    A and B are sweeps with results, or paths of their folders. Prints the path of a one-page report.
    """
    from saih.commands.comparing import compare_folders, require_ratio
    from saih.commands.findings import comparison_text
    from saih.commands.selection import find_folder
    from saih.reports.analysis_json import comparison_as_json
    from saih.reports.comparison_report import write_comparison

    pair = find_folder(a, folders.results), find_folder(b, folders.results)
    comparison = compare_folders(*pair, folders.data)
    path = write_comparison(comparison, folders.reports / f"{pair[0].name}-and-{pair[1].name}.pdf")
    if is_json:
        give_json("comparison", {**comparison_as_json(comparison), "report": str(path)})
    else:
        give(comparison_text(comparison))
        give(str(path))
    require_ratio(comparison, min_ratio)
