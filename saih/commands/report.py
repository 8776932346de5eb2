"""``saih report``: the report of a sweep as PDF and HTML, or one held against its results."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from saih.commands.choice import JSON, Folders, folder_options
from saih.commands.talk import give, give_json, say

if TYPE_CHECKING:
    from saih.commands.reporting import Format
    from saih.store.sweep_folder import SweepFolder


@click.command("report")
@click.argument("name")
@folder_options
@click.option(
    "--format",
    "formats",
    type=click.Choice(("pdf", "html")),
    multiple=True,
    help="Write only this kind; may be repeated. Both are written by default.",
)
@click.option(
    "--check",
    "checked",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write nothing; make every sentence of this report again, and tell which differ.",
)
@JSON
def command(
    name: str, folders: Folders, *, formats: tuple["Format", ...], checked: Path | None, is_json: bool
) -> int:
    """Write the report of a sweep as PDF and as HTML, or check one.

    NAME is a sweep with results, or the path of its folder. Prints the paths of the reports. Ends with 4
    if a record does not verify.

    With --check, FILE is a PDF or HTML report of the sweep, or the claims.json attached to one. Prints what
    changed since: sentences, records, ceilings. Ends with 0 if all agree, with 4 if the report or something
    that it was made from was edited or lost, with 5 if only more was measured since, or the file is not
    byte for byte what is made now.
    """
    from saih.commands.selection import find_folder
    from saih.domain.errors import UsageError

    folder = find_folder(name, folders.results)
    if checked is None:
        return _write(folder, folders, formats or ("html", "pdf"), is_json=is_json)
    if formats:
        raise UsageError("--check writes no report, so it takes no --format", "leave one of the two out.")
    return _check(folder, folders, checked, is_json=is_json)


def _write(folder: "SweepFolder", folders: Folders, formats: tuple["Format", ...], *, is_json: bool) -> int:
    from saih.commands.analysis import analysis_of, exit_code_of
    from saih.commands.reporting import write_reports

    analysis, damages = analysis_of(folder, folders.data)
    for damage in damages:
        say(damage)
    written = write_reports(folder, analysis, folders.reports, formats)
    paths = {kind: str(path) for kind, path in written.items()}
    if is_json:
        main = paths.get("pdf") or next(iter(paths.values()))
        content = {"sweep": folder.name, "report": main, "reports": paths, "damages": list(damages)}
        give_json("report", content)
    else:
        give("\n".join(paths.values()))
    return exit_code_of(damages)


def _check(folder: "SweepFolder", folders: Folders, path: Path, *, is_json: bool) -> int:
    from saih.commands.checking import check_json, check_report, check_text

    check = check_report(path, folder, folders.data)
    if is_json:
        give_json("check", {"sweep": folder.name, **check_json(check)})
    else:
        for damage in check.damages:
            say(damage)
        give(check_text(check))
    return check.exit_code
