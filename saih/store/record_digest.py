"""Digests of what a report is made from: they tell an edited file even where its checksums were mended."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from saih.domain.ceiling import Ceilings
from saih.domain.errors import DamagedData
from saih.store.attempt import ENVIRONMENT, OUTCOME, POINT, STEPS, Attempt
from saih.store.ceilings_file import ceilings_path
from saih.store.files import MAX_STEPS_BYTES, read_file
from saih.store.sweep_folder import SweepFolder, all_attempts

_FILES = (POINT, ENVIRONMENT, STEPS, OUTCOME)


def record_digests(folder: SweepFolder) -> Mapping[str, str]:
    """SHA-256 over the files of every finished attempt, by record id.

    Nothing is decoded or verified. A file that is missing or cannot be read counts as absent, which gives
    another digest than the whole attempt has.
    """
    return {
        f"{attempt.point_id}/attempt-{attempt.number}": _digest(attempt)
        for attempt in all_attempts(folder)
        if os.path.lexists(f"{attempt.folder}{os.sep}{OUTCOME}")
    }


def ceilings_digests(root: Path, ceilings: Iterable[Ceilings]) -> Mapping[str, str]:
    """SHA-256 of the file of each of these ceilings, by its place below ``root``; without absent ones."""
    paths = [ceilings_path(root, one.environment_id, one.placement_label) for one in ceilings]
    contents = {path.relative_to(root).as_posix(): _bytes_of(str(path)) for path in paths}
    return {name: hashlib.sha256(data).hexdigest() for name, data in contents.items() if data is not None}


def _digest(attempt: Attempt) -> str:
    """Over name, length and bytes of each file, so that no byte can move from one to another unseen."""
    whole = hashlib.sha256()
    for name in _FILES:
        data = _bytes_of(f"{attempt.folder}{os.sep}{name}")
        whole.update(f"{name} {-1 if data is None else len(data)}\n".encode())
        whole.update(data or b"")
    return whole.hexdigest()


def _bytes_of(path: str) -> bytes | None:
    try:
        return read_file(path, MAX_STEPS_BYTES)
    except (FileNotFoundError, DamagedData):
        return None
