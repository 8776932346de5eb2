"""``saih show``: everything about one point."""

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.lines import stdout_width
from saih.commands.talk import give, give_json


@click.command("show")
@click.argument("point")
@click.argument("name", required=False)
@folder_options
@JSON
def command(point: str, name: str | None, folders: Folders, *, is_json: bool) -> None:
    """Show everything about one point of a sweep.

    POINT is its id or the beginning of it, a record (POINT/attempt-N), or its number in the report. NAME
    is its sweep, or the path of its folder; without it, all sweeps are searched.
    """
    from saih.commands.found_point import find_point
    from saih.commands.showing import sheet_of
    from saih.reports.analysis_json import point_as_json
    from saih.reports.terminal_point import point_text

    sheet = sheet_of(find_point(point, name, folders))
    if is_json:
        give_json("point", point_as_json(sheet))
    else:
        give(point_text(sheet, stdout_width()))
