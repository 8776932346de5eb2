"""``saih init``: a sweep file to begin with."""

from pathlib import Path

import click

from saih.commands.choice import DEFAULT, JSON
from saih.commands.talk import give, give_json


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--preset", help=f"Begin with laptop, node or cluster; {DEFAULT} if not given.")
@click.option("--name", help="Name of the sweep; the file's name if not given.")
@click.option("--site", "is_site", is_flag=True, help="Write a site file, which describes a system, instead.")
@JSON
def command(path: Path | None, preset: str | None, name: str | None, *, is_site: bool, is_json: bool) -> None:
    """Write a sweep file in which every key is explained.

    PATH is sweep.yaml (with --site: site.yaml) if not given. An existing file is never replaced.
    """
    from saih.commands.beginning import write_site_file, write_sweep_file

    if is_site and (preset or name):
        raise click.UsageError("--preset and --name are for sweep files, --site writes a site file.")
    if is_site:
        written = write_site_file(path or Path("site.yaml"))
    else:
        written = write_sweep_file(path or Path("sweep.yaml"), preset or DEFAULT, name)
    if is_json:
        give_json("init", {"kind": "site" if is_site else "sweep", "path": str(written)})
    else:
        give(str(written))
