"""``saih init``: a sweep file to begin with."""

from pathlib import Path

import click

from saih.commands.choice import DEFAULT
from saih.commands.talk import give


@click.command("init")
@click.argument("path", type=click.Path(path_type=Path), default=Path("sweep.yaml"))
@click.option("--preset", default=DEFAULT, show_default=True, help="Begin with laptop, node or cluster.")
@click.option("--name", help="Name of the sweep; the file's name if not given.")
def command(path: Path, preset: str, name: str | None) -> None:
    """Write a sweep file in which every key is explained.

    An existing file is never replaced.
    """
    from saih.commands.beginning import write_sweep_file

    give(str(write_sweep_file(path, preset, name)))
