"""``saih trends``: laws, intervals and checks of series that others measured."""

from pathlib import Path

import click

from saih.commands.choice import JSON, REPORTS
from saih.commands.talk import give, give_json


@click.command("trends")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--column", "columns", metavar="OURS=THEIRS", multiple=True,
    help="What a CSV file calls one of our columns, such as size=nodes; may be repeated.",
)  # fmt: skip
@click.option("--unit", metavar="TEXT", help="Unit of the values where the file tells none, such as s.")
@click.option(
    "--kind", type=click.Choice(("strong", "weak", "size")),
    help="What grows: ranks over one problem, ranks with a problem each, or the problem.",
)  # fmt: skip
@click.option(
    "--report", "formats", type=click.Choice(("pdf", "html")), multiple=True,
    help="Write a report of this kind too; may be repeated.",
)  # fmt: skip
@REPORTS
@JSON
def command(  # noqa: PLR0913 - one for each option
    *,
    files: tuple[Path, ...],
    columns: tuple[str, ...],
    unit: str | None,
    kind: str | None,
    formats: tuple[str, ...],
    reports: Path,
    is_json: bool,
) -> int:
    """Find the trends of series that others measured.

    FILE is a CSV file, an Extra-P text or JSON-lines file, an MLPerf log, or a folder of MLPerf logs; its
    format shows in its first lines. Columns of CSV: size and value; series, axis, kind, unit, repeat, phase,
    low, high, level, count and facts where there are any. Values that are no durations, copied runs and
    mistaken units take no part and are named. Ends with 4 if a file cannot be read.
    """
    from saih.commands.lines import stdout_width
    from saih.commands.trending import read_trends, told_of, write_series_reports
    from saih.reports.analysis_json import series_trends_as_json
    from saih.reports.terminal_series import series_text

    trends = read_trends(files, told_of(columns, unit, kind))
    paths = write_series_reports(trends, files, reports, formats)
    if is_json:
        give_json("trends", {**series_trends_as_json(trends), "reports": paths})
        return 0
    give(series_text(trends, stdout_width()))
    for path in paths.values():
        give(path)
    return 0
