"""``saih compare``: two sweeps on their matched points."""

import math

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.talk import failure, give, give_json


def _finite(_ctx: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    """Refuse nan, which no range excludes and every comparison passes, and inf."""
    if value is None or math.isfinite(value):
        return value
    raise click.BadParameter(f"{value} is not a number above 0.")


@click.command("compare")
@click.argument("a")
@click.argument("b")
@folder_options
@click.option(
    "--min-ratio",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    help="Fail with 5 unless the mean speed of A is at least this many times that of B.",
)
@JSON
def command(a: str, b: str, folders: Folders, *, min_ratio: float | None, is_json: bool) -> int:
    """Compare two sweeps on their matched points.

    A and B are sweeps with results, or paths of their folders. Prints the path of a one-page report.
    """
    from saih.commands.comparing import compare_folders, require_ratio
    from saih.commands.findings import comparison_text
    from saih.commands.selection import find_folder
    from saih.domain.errors import GateFailed
    from saih.reports.analysis_json import comparison_as_json
    from saih.reports.comparison_report import write_comparison

    pair = find_folder(a, folders.results), find_folder(b, folders.results)
    comparison = compare_folders(*pair, folders.data)
    path = write_comparison(comparison, folders.reports / f"{pair[0].name}-and-{pair[1].name}.pdf")
    if not is_json:
        give(comparison_text(comparison))
        give(str(path))
        require_ratio(comparison, min_ratio)
        return 0
    give_json("comparison", {**comparison_as_json(comparison), "report": str(path)})
    try:
        require_ratio(comparison, min_ratio)
    except GateFailed as error:  # stdout has its document already
        failure(error, is_json=False)
        return error.exit_code
    return 0
