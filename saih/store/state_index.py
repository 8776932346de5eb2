"""A cache of what became of every point: listing many of them then reads no file twice.

The files of the attempts stay the truth. An entry counts only while the folder of its point and each file of
its attempts have the times, sizes and inodes that they had when their bytes were verified: then nothing was
written there since. Where an entry does not fit, the files are read. The cache may be deleted at any time.
"""

import gc
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saih.domain.errors import DamagedData
from saih.domain.record import Outcome
from saih.store.attempt import ENVIRONMENT, OUTCOME, POINT, STEPS
from saih.store.files import MAX_JSON_BYTES, clock_ns, read_file, write_file
from saih.store.point_state import PointState, PointStatus

NAME = "states.cache"
FEWEST = 500
"""Fewer points are read anew every time, and fewer new ones are not worth writing."""
_SETTLED_NS = 2_000_000_000
"""A file changed so shortly before it was read might change again within one tick of its file system."""
_NOTHING, _FILES, _FILES_AND_STEPS = range(3)
"""What there is of an attempt: no outcome, one without steps, one with."""

Finished = tuple[int, str, str]
"""Number, outcome and environment id of an attempt with an outcome that verifies."""
Entry = tuple[list[int], list[list[int]], list[Any], list[list[Any]]]
"""As in the file: stamp, attempts with what there is of each, fields of the state, finished attempts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What is known of one point."""

    state: PointState
    finished: tuple[Finished, ...]
    attempts: tuple[int, ...]
    """Numbers of all attempts."""


def digests(
    sweep_path: Path, point_ids: Iterable[str], read: Callable[[str], Digest]
) -> Mapping[str, Digest]:
    """What is known of each of these points; ``read`` reads and verifies the files of one."""
    with no_collection():
        return _digests(sweep_path, list(dict.fromkeys(point_ids)), read)


def _digests(sweep_path: Path, asked: list[str], read: Callable[[str], Digest]) -> Mapping[str, Digest]:
    path, prefix = sweep_path / NAME, f"{os.fspath(sweep_path)}{os.sep}"
    entries = _read_entries(path) if len(asked) >= FEWEST else {}
    states: dict[Any, PointState] = {}
    found = {point_id: _found(entries.get(point_id), prefix + point_id, states) for point_id in asked}
    missed = [point_id for point_id, digest in found.items() if digest is None]
    begun_ns = _clock_ns(sweep_path) if len(missed) >= FEWEST else None
    new = {point_id: read(point_id) for point_id in missed}
    if begun_ns is not None:
        settled_ns = begun_ns - _SETTLED_NS
        made = {point_id: _entry(digest, prefix + point_id, settled_ns) for point_id, digest in new.items()}
        _write_entries(path, entries, {name: entry for name, entry in made.items() if entry is not None})
    return {point_id: digest or new[point_id] for point_id, digest in found.items()}


@contextmanager
def no_collection() -> Iterator[None]:
    """Reading points makes no garbage in cycles, and looking for it took a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _found(entry: Entry | None, path: str, states: dict[Any, PointState]) -> Digest | None:
    """What an entry says, if it still fits; ``states`` keeps one of each, since most points share one."""
    if entry is None:
        return None
    try:
        stamp, attempts, fields, finished = entry
        if stamp != _stamp(path, attempts):
            return None
        key = tuple(fields)
        state = states.get(key)
        if state is None:
            state = states[key] = _state(fields)
        return Digest(
            state=state,
            finished=tuple((number, outcome, where) for number, outcome, where in finished),
            attempts=tuple(number for number, _ in attempts),
        )
    except (OSError, ValueError, TypeError):  # gone, or not an entry: the files are read
        return None


def _entry(digest: Digest, path: str, settled_ns: int) -> Entry | None:
    """The entry of what was just read; None when it changed so lately that a change might go unseen."""
    state = digest.state
    if state.status is PointStatus.DAMAGED or not digest.attempts:
        return None
    kinds = {
        number: _FILES_AND_STEPS if outcome == Outcome.COMPLETED else _FILES
        for number, outcome, _ in digest.finished
    }
    attempts = [[number, kinds.get(number, _NOTHING)] for number in digest.attempts]
    try:
        stamp = _stamp(path, attempts)
    except OSError:
        return None
    if stamp[-1] > settled_ns:
        return None
    outcome = None if state.outcome is None else state.outcome.value
    fields = [state.status.value, outcome, state.reason, state.num_attempts, state.num_lost]
    return stamp, attempts, fields, [list(one) for one in digest.finished]


def _stamp(path: str, attempts: list[list[int]]) -> list[int]:
    """Sums of change times [ns], sizes and inodes of all that decides a point, and its latest change."""
    status = os.stat(path)  # noqa: PTH116 - a Path for each takes longer than the call itself
    newest_ns = total_ns = status.st_mtime_ns
    size, inode, lstat = 0, status.st_ino, os.lstat
    for number, kind in attempts:
        for name in _NAMES[kind]:
            status = lstat(f"{path}/attempt-{number}{name}")
            # A folder changes when it gets a name, a file whenever anything of it changes.
            changed_ns = status.st_ctime_ns if kind else status.st_mtime_ns
            total_ns += changed_ns
            size += status.st_size
            inode += status.st_ino
            newest_ns = max(newest_ns, changed_ns)
    return [total_ns, size, inode, newest_ns]


_NAMES = (
    ("",),
    tuple(f"/{name}" for name in (POINT, ENVIRONMENT, OUTCOME)),
    tuple(f"/{name}" for name in (POINT, ENVIRONMENT, STEPS, OUTCOME)),
)


def _state(fields: list[Any]) -> PointState:
    status, outcome, reason, num_attempts, num_lost = fields
    return PointState(
        status=PointStatus(status),
        outcome=None if outcome is None else Outcome(outcome),
        reason=reason,
        num_attempts=num_attempts,
        num_lost=num_lost,
    )


def _read_entries(path: Path) -> dict[str, Entry]:
    """The entries of the cache; none when it is absent, damaged or foreign."""
    try:
        seal, body = read_file(path, MAX_JSON_BYTES).split(b"\n", 1)
        if seal != _seal(body):
            return {}
        return dict(json.loads(body))
    except (FileNotFoundError, DamagedData, ValueError):
        return {}


def _write_entries(path: Path, old: dict[str, Entry], new: dict[str, Entry]) -> None:
    if len(new) < FEWEST:
        return
    body = json.dumps({**old, **new}, separators=(",", ":")).encode()
    if len(body) <= MAX_JSON_BYTES // 2:
        with suppress(OSError):  # a folder that only its owner may write is listed without
            write_file(path, _seal(body) + b"\n" + body)


def _seal(body: bytes) -> bytes:
    return b"saih states 2 " + hashlib.sha256(body).hexdigest().encode()


def _clock_ns(folder: Path) -> int | None:
    with suppress(OSError):
        return clock_ns(folder)
    return None
