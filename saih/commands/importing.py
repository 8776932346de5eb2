"""``saih import``: the sweep of another site, verified whole, as a folder of results."""

from pathlib import Path

import click

from saih.commands.choice import JSON, RESULTS
from saih.commands.talk import give, give_json, say


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@RESULTS
@click.option("--name", help="Call the sweep so here; else as where it was measured.")
@click.option("--verify-only", "is_dry", is_flag=True, help="Verify the bundle; write nothing.")
@JSON
def command(file: Path, results: Path, name: str | None, *, is_dry: bool, is_json: bool) -> None:
    """Import a bundle of another site, verified whole.

    FILE is what `saih bundle` wrote. It becomes a sweep among the results, which status, analyze, report and
    compare read like any other; nothing is measured into it. Ends with 4 if the bundle does not verify:
    then nothing was written.
    """
    from saih.commands.import_stage import import_file

    imported = import_file(file, results, name, is_dry=is_dry)
    if is_json:
        give_json("import", imported.content)
        return
    for line in imported.lines:
        say(line)
    give(imported.place)
