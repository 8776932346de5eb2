"""Where the fastest executions are kept that searches found, for each environment: whole or absent.

Below the results folder, ``executions/ENVIRONMENT_ID/ID.json`` tells of one question (see ``tuned_id_of``),
so that every sweep of the same environment uses what one of them found.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from saih.domain.errors import DamagedData
from saih.domain.point import Point
from saih.domain.tuning import Tuned, tuned_id_of
from saih.store.document import parse, render
from saih.store.fence import NO_FENCE, Fence
from saih.store.files import MAX_JSON_BYTES, make_folder, read_file, write_file, writing_at
from saih.store.structure import from_json

EXECUTIONS = "executions"
"""Folder below the results folder."""
_KIND = "saih execution"
_REMEDY = "delete this file; `saih tune` with the sweep searches again, and no point is lost."


def write_tuned(root: Path, tuned: Tuned, fence: Fence = NO_FENCE) -> Path:
    """Keep what was found below the results folder ``root``, replacing what was found before at once.

    Raises:
        Superseded: when the points were taken over; nothing is kept then.
    """
    path = tuned_path(root, tuned.environment_id, tuned.tuned_id)
    with writing_at(path.parent):
        make_folder(path.parent)
        if not fence.is_open:
            raise fence.superseded()
        write_file(path, encode_tuned(tuned))
    return path


def read_tuned(root: Path, environment_id: str, point: Point) -> Tuned | None:
    """What was found for a point in an environment; None where nobody searched.

    Raises:
        DamagedData: when it is not what was written, or belongs elsewhere.
    """
    path = tuned_path(root, environment_id, tuned_id_of(point))
    try:
        tuned = decode_tuned(read_file(path, MAX_JSON_BYTES), path)
    except FileNotFoundError:
        return None
    if (tuned.environment_id, tuned.tuned_id) != (environment_id, tuned_id_of(point)):
        raise DamagedData(f"{path} tells of another point or environment.", _REMEDY)
    return tuned


def kindred(root: Path, environment_id: str, point: Point) -> Tuned | None:
    """What was found last for another problem on the same ranks; None for nothing that verifies."""
    found = [
        one
        for one in _all_of(root, environment_id)
        if _kind_of(one.point) == _kind_of(point) and one.tuned_id != tuned_id_of(point)
    ]
    return max(found, key=lambda one: one.finished_utc, default=None)


def encode_tuned(tuned: Tuned) -> bytes:
    """The document of what a search found."""
    return render(_KIND, tuned)


def decode_tuned(data: bytes, path: Path | str) -> Tuned:
    """What a document says that a search found; DamagedData when it is none."""
    return parse(_KIND, data, path, lambda value: from_json(Tuned, value), remedy=_REMEDY)


def tuned_path(root: Path, environment_id: str, tuned_id: str) -> Path:
    """Where what is found for a question is kept."""
    return root / EXECUTIONS / environment_id / f"{tuned_id}.json"


def _all_of(root: Path, environment_id: str) -> Iterator[Tuned]:
    for path in sorted((root / EXECUTIONS / environment_id).glob("*.json")):
        with suppress(FileNotFoundError, DamagedData):
            yield decode_tuned(read_file(path, MAX_JSON_BYTES), path)


def _kind_of(point: Point) -> tuple[Any, ...]:
    return point.workload, point.placement, point.exchange, point.precision, point.execution.name
