"""``saih report``: the PDF of a sweep."""

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.talk import give, give_json, say


@click.command("report")
@click.argument("name")
@folder_options
@JSON
def command(name: str, folders: Folders, *, is_json: bool) -> int:
    """Write the PDF report of a sweep.

    NAME is a sweep with results, or the path of its folder. Prints the path of the report. Ends with 4
    if a record does not verify.
    """
    from saih.commands.analysis import analysis_of, exit_code_of
    from saih.commands.selection import find_folder
    from saih.reports.trend_report import write_report

    folder = find_folder(name, folders.results)
    analysis, damages = analysis_of(folder, folders.data)
    for damage in damages:
        say(damage)
    path = write_report(analysis, folders.reports / f"{folder.name}.pdf")
    if is_json:
        give_json("report", {"sweep": folder.name, "report": str(path), "damages": list(damages)})
    else:
        give(str(path))
    return exit_code_of(damages)
