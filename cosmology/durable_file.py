"""Files that are there whole or not at all, whatever kills the writer; JSON that carries its checksum."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cosmology.dataset_error import DatasetError

_SUFFIX = ".tmp"
_MAX_JSON_BYTES = 1 << 30
_BLOCK_BYTES = 1 << 20


@contextmanager
def durable_file(path: Path) -> Iterator[Path]:
    """A temporary path of its own beside ``path``; on leaving, it becomes ``path``, on disk for sure.

    Raises:
        DatasetError: when the folder cannot be written to.
    """
    temporary = _new_temporary(path)
    try:
        yield temporary
        _take_place(temporary, path)
    except OSError as error:
        raise DatasetError(
            f"{path} could not be written ({error}); free space or rights there, or choose another folder, "
            "then repeat: nothing finished is lost."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove temporaries that killed writers of ``path`` left; harmless to a writer still at work."""
    for temporary in path.parent.glob(f".{path.name}.*{_SUFFIX}"):
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_strays(folder: Path) -> None:
    """``remove_leftovers`` of every file in a folder, with one look at it, however many files there are.

    Temporaries of files that are not there stay: their writers may be at work.
    """
    for temporary in folder.glob(f".*{_SUFFIX}"):
        name = temporary.name.removeprefix(".").removesuffix(_SUFFIX).rpartition(".")[0]
        if name and (folder / name).exists():
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def write_checked_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON object with the SHA-256 of its canonical text beside it."""
    text = canonical_json(content)
    checked = {"content": content, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    with durable_file(path) as temporary:
        temporary.write_bytes(_written(checked))


def read_checked_json(path: Path) -> dict[str, Any]:  # Any: the reader knows what it wrote
    """The object that ``write_checked_json`` wrote.

    Raises:
        DatasetError: when it is absent, or its checksum does not agree.
    """
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise DatasetError(f"{path} is larger than any file of its kind; delete it and generate again.")
        data = path.read_bytes()
        checked = json.loads(data)
        content, expected = checked["content"], checked["sha256"]
        found = hashlib.sha256(canonical_json(content).encode()).hexdigest()
        is_as_written = data == _written(checked)
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is missing; generate the data set (again).") from error
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise DatasetError(f"{path} is damaged ({error}); delete it and generate again.") from error
    if found != expected or not is_as_written or not isinstance(content, dict):
        raise DatasetError(f"{path} is damaged (its checksum disagrees); delete it and generate again.")
    return content


def _written(checked: Mapping[str, object]) -> bytes:
    """The one way in which an object and its checksum are written: a space more is damage too."""
    return (json.dumps(checked, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def canonical_json(content: Mapping[str, object]) -> str:
    """The one text of a JSON object: keys in order, no spaces, no NaN."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _new_temporary(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_SUFFIX)
    except OSError as error:
        raise DatasetError(
            f"{path.parent} cannot be written to ({error}); choose another folder, or get the right to."
        ) from error
    os.fchmod(handle, 0o644)
    os.close(handle)
    return Path(name)


def _force_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _take_place(temporary: Path, path: Path) -> None:
    """Rename, unless another writer finished the same file and cleared this temporary away."""
    try:
        _force_to_disk(temporary)
        temporary.replace(path)
        _force_to_disk(path.parent)
    except FileNotFoundError:
        if not path.exists():
            raise
