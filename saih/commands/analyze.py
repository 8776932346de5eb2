"""``saih analyze``: trends, limits and points."""

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.lines import stdout_width
from saih.commands.talk import give, give_json, say


@click.command("analyze")
@click.argument("name")
@folder_options
@JSON
def command(name: str, folders: Folders, *, is_json: bool) -> int:
    """Print trends, limits and points of a sweep.

    NAME is a sweep with results, or the path of its folder. Ends with 4 if a record does not verify.
    """
    from saih.commands.analysis import analysis_of, exit_code_of
    from saih.commands.selection import find_folder
    from saih.reports.analysis_json import analysis_as_json
    from saih.reports.terminal_analysis import analysis_text

    analysis, damages = analysis_of(find_folder(name, folders.results), folders.data)
    if is_json:
        give_json("analysis", {**analysis_as_json(analysis), "damages": list(damages)})
        return exit_code_of(damages)
    give(analysis_text(analysis, stdout_width()))
    for damage in damages:
        say(damage)
    return exit_code_of(damages)
