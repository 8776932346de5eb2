"""One sweep's folder: its definition, its attempts, and what became of each point."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saih.domain.errors import DamagedData, SaihError, UsageError
from saih.domain.point import Point
from saih.domain.record import AttemptResult, Environment, Outcome, Record
from saih.store import codec
from saih.store.attempt import (
    ENVIRONMENT,
    OUTCOME,
    POINT,
    STEPS,
    SUPERSEDED,
    Attempt,
    outcome_note,
    read_record,
    read_whole_outcome,
)
from saih.store.definition import differences
from saih.store.fence import NO_FENCE, Fence
from saih.store.files import (
    MAX_JSON_BYTES,
    make_folder,
    publish_file,
    put_file,
    read_file,
    starting_at,
    sync_all,
    writing_at,
)
from saih.store.point_state import PointState, state_of
from saih.store.state_index import Digest, digests, no_collection
from saih.store.structure import to_json

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_POINT_ID = re.compile(r"[0-9a-f]{16}")
_ATTEMPT = re.compile(r"attempt-([1-9][0-9]{0,8})")
_TAKEN = ("ceilings", "executions")
"""Folders of results that are no sweeps."""
_MAX_DIFFERENCES = 20


@dataclass(frozen=True, slots=True)
class SweepFolder:
    """The folder of the sweep ``name`` below the results folder ``root``."""

    root: Path
    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in _TAKEN:
            raise UsageError(
                f"a sweep cannot be called {self.name!r}.",
                "use letters, digits, '.', '_' and '-', begin with a letter or digit, and not "
                f"{' or '.join(map(repr, _TAKEN))}.",
            )

    @property
    def path(self) -> Path:
        """Where everything of this sweep is."""
        return self.root / self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A file of a sweep that does not verify; its attempt counts for nothing."""

    path: Path
    problem: str
    remedy: str


def record_definition(folder: SweepFolder, definition: Mapping[str, Any]) -> None:
    """Keep what the sweep asks (plain JSON values, or frozen values) as sweep.json, once.

    Raises:
        UsageError: when the folder holds another definition, or cannot be written.
        DamagedData: when the definition in the folder does not verify.
    """
    path = folder.path / "sweep.json"
    with starting_at(folder.path):
        make_folder(folder.path)
        is_first = publish_file(path, codec.encode_definition(definition))
    if is_first:
        return
    lines = differences(read_definition(folder), to_json(definition))
    if lines:
        more = [f"... and {len(lines) - _MAX_DIFFERENCES} more"] if len(lines) > _MAX_DIFFERENCES else []
        shown = "\n  ".join([*lines[:_MAX_DIFFERENCES], *more])
        raise UsageError(
            f"{folder.path} holds results of another definition of {folder.name}:\n  {shown}",
            "give the new one a name of its own (--name OTHER), change the definition back, "
            f"or move {folder.path} away.",
        )


def read_definition(folder: SweepFolder) -> Mapping[str, Any]:
    """What the sweep asks.

    Raises:
        UsageError: when the folder holds no sweep.
        DamagedData: when its definition does not verify.
    """
    path = folder.path / "sweep.json"
    try:
        return codec.decode_definition(read_file(path, MAX_JSON_BYTES), path)
    except FileNotFoundError as error:
        known = ", ".join(sweep_names(folder.root)) or "none"
        raise UsageError(
            f"there is no sweep {folder.name} in {folder.root} (sweeps there: {known}).",
            "check the name, or name the results folder.",
        ) from error


def sweep_names(root: Path) -> tuple[str, ...]:
    """The sweeps below a results folder, by name."""
    try:
        return tuple(sorted(path.parent.name for path in root.glob("*/sweep.json")))
    except OSError:
        return ()


def begin_attempt(
    folder: SweepFolder, point: Point, environment: Environment, fence: Fence = NO_FENCE
) -> Attempt:
    """Make the next attempt's folder, which nobody else gets, with point.json and environment.json.

    Raises:
        Superseded: when the points were taken over; nothing is made then.
    """
    if not fence.is_open:
        raise fence.superseded()
    with writing_at(folder.path):
        make_folder(folder.path)
        (folder.path / point.point_id).mkdir(mode=0o700, exist_ok=True)
        attempt = _claim(folder, point.point_id)
        put_file(attempt.path / POINT, codec.encode_point(point))
        put_file(attempt.path / ENVIRONMENT, codec.encode_environment(environment))
        sync_all([attempt.path / POINT, attempt.path / ENVIRONMENT])
    return attempt


def finish(attempt: Attempt, result: AttemptResult, fence: Fence = NO_FENCE) -> None:
    """Write the steps, then the outcome that makes the attempt count.

    Raises:
        Superseded: when the points were taken over; the outcome is kept as superseded.json then.
        ValueError: for a completed result without steps or another one with, or a loss that is not finite.
        SaihError: when the attempt has an outcome already, or the folder cannot be written.
    """
    if (result.outcome is Outcome.COMPLETED) is (result.steps is None):
        raise ValueError(f"outcome {result.outcome} with steps {result.steps} makes no sense")
    with writing_at(attempt.path):
        if result.steps is not None:
            from saih.store.steps_file import encode_steps  # noqa: PLC0415 - slow to load, not always needed

            put_file(attempt.path / STEPS, encode_steps(result.steps))
        # Folders are synced this late: before there is an outcome, a loss of power may take the attempt away.
        steps = [] if result.steps is None else [attempt.path / STEPS]
        sync_all([attempt.sweep_path, attempt.path.parent, *steps])
        document = codec.encode_outcome(outcome_note(attempt, result))
        if not fence.is_open:  # asked as late as can be
            publish_file(attempt.path / SUPERSEDED, document)
            raise fence.superseded()
        is_first = publish_file(attempt.path / OUTCOME, document)
    if not is_first:
        raise SaihError(
            f"{attempt.path} has an outcome already; this later one ({result.outcome}) was not kept.",
            "nothing is lost: the first outcome of an attempt counts.",
        )


def read_records(folder: SweepFolder) -> tuple[tuple[Record, ...], tuple[Damage, ...]]:
    """Every finished attempt, by point and attempt, and what does not verify.

    A point has at most one completed record: the attempt that finished first.
    """
    with no_collection():
        return _records(folder)


def _records(folder: SweepFolder) -> tuple[tuple[Record, ...], tuple[Damage, ...]]:
    records: list[Record] = []
    damages: list[Damage] = []
    for point_id in point_ids(folder):
        found = []
        for attempt in attempts_of(folder, point_id):
            try:
                found.append(read_record(attempt, folder.name))
            except FileNotFoundError:
                continue
            except DamagedData as error:
                damages.append(Damage(path=attempt.path, problem=error.problem, remedy=error.remedy))
        records += _without_duplicates(found)
    return tuple(records), tuple(damages)


def point_states(folder: SweepFolder, asked: Iterable[str]) -> Mapping[str, PointState]:
    """What became of each of these points, from the outcomes whose attempts verify (nothing is decoded)."""
    return {point_id: digest.state for point_id, digest in point_digests(folder, asked).items()}


def point_digests(folder: SweepFolder, asked: Iterable[str]) -> Mapping[str, Digest]:
    """What is known of each of these points.

    Every file of an attempt is verified when it is first seen, and again when it may have changed since:
    its times, size or inode tell. ``read_records`` verifies always.
    """
    return digests(folder.path, asked, lambda point_id: _digest(folder, point_id))


def point_ids(folder: SweepFolder) -> list[str]:
    """The points that have a folder, in order."""
    try:
        with os.scandir(folder.path) as entries:
            return sorted(entry.name for entry in entries if _POINT_ID.fullmatch(entry.name))
    except FileNotFoundError:
        return []


def all_attempts(folder: SweepFolder) -> Iterator[Attempt]:
    """Every attempt of every point, finished or not."""
    for point_id in point_ids(folder):
        yield from attempts_of(folder, point_id)


def attempts_of(folder: SweepFolder, point_id: str) -> tuple[Attempt, ...]:
    """The attempts at one point, oldest first, finished or not."""
    try:
        with os.scandir(folder.path / point_id) as entries:
            matches = [match for entry in entries if (match := _ATTEMPT.fullmatch(entry.name))]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    numbers = sorted(int(match.group(1)) for match in matches)
    return tuple(Attempt(sweep_path=folder.path, point_id=point_id, number=number) for number in numbers)


def _claim(folder: SweepFolder, point_id: str) -> Attempt:
    number = max((attempt.number for attempt in attempts_of(folder, point_id)), default=0) + 1
    while True:
        attempt = Attempt(sweep_path=folder.path, point_id=point_id, number=number)
        try:
            attempt.path.mkdir(mode=0o700)
        except FileExistsError:
            number += 1
        else:
            return attempt


def _without_duplicates(records: list[Record]) -> list[Record]:
    completed = [record for record in records if record.result.outcome is Outcome.COMPLETED]
    first = min(completed, key=lambda record: (record.finished_utc, record.attempt), default=None)
    return [record for record in records if record not in completed or record is first]


def _digest(folder: SweepFolder, point_id: str) -> Digest:
    attempts = attempts_of(folder, point_id)
    notes, damages = [], []
    for attempt in attempts:
        try:
            notes.append(read_whole_outcome(attempt))
        except FileNotFoundError:
            continue
        except DamagedData as error:
            damages.append(error.problem)
    return Digest(
        state=state_of(notes, damages, len(attempts)),
        finished=tuple((note.attempt, note.outcome.value, note.environment_id) for note in notes),
        attempts=tuple(attempt.number for attempt in attempts),
    )
