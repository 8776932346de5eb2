"""The options by which commands choose their sweep and their folders."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, get_args

import click

from saih.domain.site import SchedulerName

DEFAULT = "laptop"
Command = Callable[..., Any]
_MAX_SHOWN = 200
"""Characters of a path that is too long."""


class FolderPath(click.Path):
    """A folder that is there, or could be: a path that no system call takes is refused at once."""

    name = "directory"

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path of the folder; a usage error where a file, a link or its own length is in the way."""
        try:
            Path(value).stat()
        except FileNotFoundError:
            if Path(value).is_symlink():
                self.fail(f"{str(value)!r} is a link to nothing", param, ctx)
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else str(error)
            self.fail(f"{str(value)[:_MAX_SHOWN]!r} cannot be a folder: {said}", param, ctx)
        return super().convert(value, param, ctx)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the options of a command say about its sweep."""

    sweep: str
    axes: tuple[str, ...]
    overrides: tuple[str, ...]
    name: str | None
    data_folder: Path
    results_folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where a command looks and writes."""

    results: Path
    reports: Path
    data: Path


def sweep_options(command: Command) -> Command:
    """The argument and options by which a command chooses its sweep; passes ``choice``."""

    @wraps(command)
    def chosen(**options: Any) -> Any:
        axes = tuple(axis.strip() for axis in (options.pop("axis") or "").split(",") if axis.strip())
        choice = Choice(
            sweep=options.pop("sweep"),
            axes=axes,
            overrides=options.pop("overrides"),
            name=options.pop("name"),
            data_folder=options.pop("data_folder"),
            results_folder=options.pop("results"),
        )
        return command(choice=choice, **options)

    for decorate in reversed(_SWEEP_PARAMETERS):
        chosen = decorate(chosen)
    return chosen


def folder_options(command: Command) -> Command:
    """The options by which a command finds results; passes ``folders``."""

    @wraps(command)
    def placed(**options: Any) -> Any:
        folders = Folders(
            results=options.pop("results"), reports=options.pop("reports"), data=options.pop("data_folder")
        )
        return command(folders=folders, **options)

    for decorate in (DATA_FOLDER, REPORTS, RESULTS):
        placed = decorate(placed)
    return placed


RESULTS = click.option(
    "--results",
    type=FolderPath(),
    default=Path("results"),
    show_default=True,
    help="Folder of results.",
)
REPORTS = click.option(
    "--reports",
    type=FolderPath(),
    default=Path("reports"),
    show_default=True,
    help="Folder of reports.",
)
DATA_FOLDER = click.option(
    "--data-folder",
    type=FolderPath(),
    default=Path("data"),
    show_default=True,
    help="Folder of data sets.",
)
SITE = click.option(
    "--site",
    metavar="FILE",
    help="Site file of the system to run on; else the one that $SAIH_SITE names.",
)
SCHEDULER = click.option(
    "--scheduler",
    type=click.Choice(get_args(SchedulerName)),
    help="Use this scheduler, whatever the site file says; it needs no site file.",
)
JSON = click.option("--json", "is_json", is_flag=True, help="Print one JSON document on stdout.")
_SWEEP_PARAMETERS = (
    click.argument("sweep", default=DEFAULT),
    click.option("--axis", metavar="AXIS,...", help="Grow along these axes only."),
    click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        multiple=True,
        help="Change one key of the sweep, such as timing.budget_s=5; may be repeated.",
    ),
    click.option("--name", help="Call the sweep so; its results get a folder of their own."),
    DATA_FOLDER,
    RESULTS,
)
