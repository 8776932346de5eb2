"""``saih export``: records of a sweep in formats of others."""

from pathlib import Path

import click

from saih.commands.choice import JSON, FolderPath, Folders, folder_options
from saih.commands.talk import give, give_json, say

_FORMATS = ("mllog", "csv", "parquet", "extrap")


@click.command("export")
@click.argument("name")
@click.option(
    "--format", "text_format", type=click.Choice(_FORMATS), default="mllog", show_default=True,
    help="mllog: one MLPerf log for each point. csv, parquet: medians by trend, which saih trends reads, and "
    "every step. extrap: every step as Extra-P's text.",
)  # fmt: skip
@click.option("--output", type=FolderPath(), required=True, help="Folder to write to; it is made.")
@click.option("--organisation", metavar="TEXT", help="submission_org of the logs; else it stays away.")
@click.option("--platform", metavar="TEXT", help="submission_platform of the logs; else it stays away.")
@click.option(
    "--division", type=click.Choice(("open", "closed")), default="open", show_default=True,
    help="submission_division of the logs.",
)  # fmt: skip
@click.option(
    "--status", type=click.Choice(("cloud", "onprem", "preview", "research")),
    help="submission_status of the logs; else it stays away.",
)  # fmt: skip
@folder_options
@JSON
def command(  # noqa: PLR0913 - one for each option
    *,
    name: str,
    text_format: str,
    output: Path,
    organisation: str | None,
    platform: str | None,
    division: str,
    status: str | None,
    folders: Folders,
    is_json: bool,
) -> int:
    """Write the completed points of a sweep in a format of others.

    NAME is a sweep with results, or the path of its folder. Prints the files, and tells what the format asks
    for and a record does not hold: nothing is made up. Ends with 4 if a record does not verify.
    """
    from saih.commands.analysis import exit_code_of
    from saih.commands.exporting import export_folder
    from saih.commands.selection import find_folder
    from saih.interchange.mllog_export import Submitter

    submitter = Submitter(organisation=organisation, platform=platform, division=division, status=status)
    folder = find_folder(name, folders.results)
    done = export_folder(folder, folders.data, output, text_format, submitter)
    if is_json:
        files = [str(path) for path in done.paths]
        give_json("export", {"files": files, "unfilled": dict(done.unfilled), "damages": list(done.damages)})
        return exit_code_of(done.damages)
    for path in done.paths:
        give(str(path))
    if done.unfilled:
        say("Not filled in, for the records do not hold it:")
    for key, reason in done.unfilled.items():
        say(f"  {key}: {reason}")
    for damage in done.damages:
        say(damage)
    return exit_code_of(done.damages)
