"""JSON lines that end with the SHA-256 of all before them: written and read as a stream."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from cosmology.dataset_error import DatasetError
from cosmology.durable_file import canonical_json, durable_file

_MAX_LINE_BYTES = 1 << 26
_MAX_BYTES = 1 << 32
_REMEDY = "delete it and generate again: what is whole is kept"


def write_checked_lines(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    """Write JSON objects, one a line, then their checksum; the file appears when all are there."""
    digest = hashlib.sha256()
    with durable_file(path) as temporary, temporary.open("wb") as file:
        for line in lines:
            data = canonical_json(line).encode() + b"\n"
            digest.update(data)
            file.write(data)
        file.write(_last_line(digest.hexdigest()))


def read_checked_lines(path: Path) -> Iterator[dict[str, Any]]:  # Any: the reader knows what it wrote
    """The objects that ``write_checked_lines`` wrote; only the end of the iteration vouches for them.

    Raises:
        DatasetError: when the file is absent or of another kind, or, at its end, when its checksum disagrees.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DatasetError(f"{path} is larger than any file of its kind; {_REMEDY}.")
        with path.open("rb") as file:
            for line in _checked(path, file):
                yield _object(path, line)
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing; generate the data set (again).") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error}); {_REMEDY}.") from error


def _checked(path: Path, file: BinaryIO) -> Iterator[bytes]:
    digest = hashlib.sha256()
    line = file.readline(_MAX_LINE_BYTES)
    while line.endswith(b"\n") and (following := file.readline(_MAX_LINE_BYTES)):
        digest.update(line)
        yield line
        line = following
    if line != _last_line(digest.hexdigest()):
        raise DatasetError(f"{path} is damaged (its checksum disagrees); {_REMEDY}.")


def _object(path: Path, line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is damaged ({error}); {_REMEDY}.") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is damaged (a line is no JSON object); {_REMEDY}.")
    return content


def _last_line(digest: str) -> bytes:
    return canonical_json({"sha256": digest}).encode() + b"\n"
