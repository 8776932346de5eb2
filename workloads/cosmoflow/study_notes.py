"""What a study has found so far, in files of its folder: each is there whole or not at all."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cosmology.dataset_error import DatasetError
from cosmology.durable_file import read_checked_json, write_checked_json

Note = Mapping[str, Any]  # Any: plain JSON values


def kept(folder: Path, name: str) -> Note | None:
    """What was found under this name; None where nothing whole is there."""
    try:
        return read_checked_json(folder / f"{name}.note.json")
    except DatasetError:
        return None


def keep(folder: Path, name: str, note: Note) -> None:
    """Keep what was found, for a study that goes on after a kill.

    Raises:
        DatasetError: when the folder cannot be written to.
    """
    write_checked_json(folder / f"{name}.note.json", note)
