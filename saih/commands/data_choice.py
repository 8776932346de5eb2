"""Which data sets of a data folder a command is about."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cosmology.dataset_error import DatasetError, MissingCodecError
from cosmology.layout import dataset_folders
from saih.domain.errors import DamagedData, EnvironmentMissing, UsageError

_PREFIX = "dataset-"


def chosen_folders(data_folder: Path, names: Sequence[str]) -> tuple[Path, ...]:
    """The folders of the data sets that are named, or of all.

    Raises:
        UsageError: when there is no data folder, or a name fits none or several.
    """
    if not data_folder.is_dir():
        raise UsageError(
            f"there is no data folder {str(data_folder)!r}.",
            "name it with --data-folder, or `saih generate`.",
        )
    there = dataset_folders(data_folder)
    return tuple(dict.fromkeys(_named(name, there) for name in names)) if names else there


def only_folder(data_folder: Path, name: str | None) -> Path:
    """The folder of the data set that is named, or of the only one.

    Raises:
        UsageError: when there is none, or no name where there are several.
    """
    folders = chosen_folders(data_folder, [name] if name else [])
    if len(folders) != 1:
        listed = ", ".join(_id_of(folder) for folder in folders) or "none"
        raise UsageError(f"{str(data_folder)!r} has the data sets: {listed}.", "name one of them.")
    return folders[0]


@contextmanager
def telling_damage() -> Iterator[None]:
    """Turn a data set's own error into one of damaged data, or of this machine, with its remedy apart."""
    try:
        yield
    except MissingCodecError as error:
        raise EnvironmentMissing(*_problem_and_remedy(error)) from error
    except DatasetError as error:
        raise DamagedData(*_problem_and_remedy(error)) from error


@contextmanager
def telling_misuse() -> Iterator[None]:
    """Turn a data set's own error into one of the command's words, with its remedy apart."""
    try:
        yield
    except DatasetError as error:
        raise UsageError(*_problem_and_remedy(error)) from error


def _problem_and_remedy(error: DatasetError) -> tuple[str, str]:
    problem, _, remedy = str(error).rpartition("; ")
    return (f"{problem}.", remedy) if problem else (remedy, "see `saih data info`.")


def _named(name: str, folders: Sequence[Path]) -> Path:
    found = [
        folder
        for folder in folders
        if _id_of(folder).startswith(name.removeprefix(_PREFIX)) or Path(name).resolve() == folder.resolve()
    ]
    if len(found) != 1:
        listed = ", ".join(_id_of(folder) for folder in folders) or "none"
        fits = "fits several data sets" if found else "is no data set"
        raise UsageError(f"{name!r} {fits}; there are: {listed}.", "give more of the id, or the folder.")
    return found[0]


def _id_of(folder: Path) -> str:
    return folder.name.removeprefix(_PREFIX)
