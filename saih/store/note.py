"""Small values that stand in files of their own, and folders that are told apart by a number."""

import os
import re
from pathlib import Path
from typing import Any, TypeVar

from saih.domain.errors import DamagedData
from saih.store.document import parse
from saih.store.files import MAX_JSON_BYTES, read_file
from saih.store.structure import from_json

T = TypeVar("T")


def read_note(kind: str, value_type: type[T], path: Path, *, remedy: str) -> T | None:
    """The value that the document at ``path`` holds; None where there is none.

    Raises:
        DamagedData: when it does not verify; tells ``remedy``.
    """
    try:
        data = read_file(path, MAX_JSON_BYTES)
    except FileNotFoundError:
        return None

    def value(content: Any) -> T:  # Any: a JSON value
        found: T = from_json(value_type, content)
        return found

    return parse(kind, data, path, value, remedy=remedy)


def numbers_below(path: Path, word: str) -> tuple[int, ...]:
    """The numbers N of what is called ``word-N`` in a folder, in growing order.

    Raises:
        DamagedData: when something else is in the place of the folder, or it cannot be read.
    """
    pattern = re.compile(rf"{re.escape(word)}-([1-9][0-9]{{0,8}})")
    try:
        with os.scandir(path) as entries:
            matches = [match for entry in entries if (match := pattern.fullmatch(entry.name))]
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise DamagedData(
            f"{path} cannot be read as a folder: {error.strerror}.",
            "restore it from a copy, or move it away.",
        ) from error
    return tuple(sorted(int(match.group(1)) for match in matches))
