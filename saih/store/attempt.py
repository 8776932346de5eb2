"""One try at one point: a folder of its own, decided by the outcome that is written last."""

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from saih.domain.errors import DamagedData
from saih.domain.record import AttemptResult, Environment, Outcome, Record
from saih.store import codec
from saih.store.files import MAX_JSON_BYTES, MAX_STEPS_BYTES, read_file

POINT, ENVIRONMENT, STEPS, OUTCOME = "point.json", "environment.json", "steps.h5", "outcome.json"
SUPERSEDED = "superseded.json"
"""The outcome of one who no longer held the points; it is kept, and counts for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at one point, with a folder of its own."""

    sweep_path: Path
    point_id: str
    number: int

    @property
    def path(self) -> Path:
        """Where its files are."""
        return Path(self.folder)

    @property
    def folder(self) -> str:
        """The same as text: joining many paths takes longer than reading the files."""
        return f"{self.sweep_path}{os.sep}{self.point_id}{os.sep}attempt-{self.number}"


def outcome_note(attempt: Attempt, result: AttemptResult) -> codec.OutcomeNote:
    """What outcome.json is to say of this result, with the checksums of the files as they are now."""
    names = (POINT, ENVIRONMENT) if result.steps is None else (POINT, ENVIRONMENT, STEPS)
    contents = {name: _read_listed(attempt.path / name) for name in names}
    environment = _environment(contents[ENVIRONMENT], attempt.path / ENVIRONMENT)
    return codec.OutcomeNote(
        point_id=attempt.point_id,
        attempt=attempt.number,
        environment_id=environment.environment_id,
        outcome=result.outcome,
        reason=result.reason,
        stop_reason=result.stop_reason,
        notes=result.notes,
        finished_utc=datetime.now(UTC).isoformat(timespec="microseconds"),
        sha256={name: hashlib.sha256(data).hexdigest() for name, data in contents.items()},
    )


def read_outcome(attempt: Attempt) -> codec.OutcomeNote:
    """The outcome of one attempt.

    Raises:
        FileNotFoundError: when it has none (yet).
        DamagedData: when it does not verify, or says that it belongs elsewhere.
    """
    path = f"{attempt.folder}{os.sep}{OUTCOME}"
    note = codec.decode_outcome(read_file(path, MAX_JSON_BYTES), path)
    if (note.point_id, note.attempt) != (attempt.point_id, attempt.number):
        raise _damaged(path, f"it is the outcome of {note.point_id}/attempt-{note.attempt}")
    return note


def read_whole_outcome(attempt: Attempt) -> codec.OutcomeNote:
    """The outcome of one attempt whose other files are what was written; they are not decoded.

    Raises:
        FileNotFoundError: when it has none (yet).
        DamagedData: when a file is missing or is not what was written.
    """
    return _read_checked(attempt)[0]


def read_environment(attempt: Attempt) -> Environment:
    """Where one attempt ran; DamagedData when that does not verify."""
    path = attempt.path / ENVIRONMENT
    return _environment(_read_listed(path), path)


def read_record(attempt: Attempt, sweep_name: str) -> Record:
    """A finished attempt, with every file verified.

    Raises:
        FileNotFoundError: when it has no outcome (yet).
        DamagedData: when a file is missing or is not what was written.
    """
    from saih.store.steps_file import decode_steps  # noqa: PLC0415 - HDF5 is slow to load, and rarely needed

    note, contents = _read_checked(attempt)
    point = codec.decode_point(contents[POINT], attempt.path / POINT)
    if point.point_id != attempt.point_id:
        raise _damaged(attempt.path / POINT, f"it is point {point.point_id}, of another folder")
    steps = decode_steps(contents[STEPS], attempt.path / STEPS) if STEPS in contents else None
    return Record(
        sweep_name=sweep_name,
        point=point,
        attempt=attempt.number,
        environment=_environment(contents[ENVIRONMENT], attempt.path / ENVIRONMENT),
        result=note.result(steps),
        finished_utc=note.finished_utc,
    )


def _environment(data: bytes, path: Path) -> Environment:
    found = _known_environment(data)
    return codec.decode_environment(data, path) if found is None else found


@lru_cache(maxsize=64)
def _known_environment(data: bytes) -> Environment | None:
    """Most attempts of a sweep have the same one, which is decoded and kept once; None for damage."""
    try:
        return codec.decode_environment(data, Path(ENVIRONMENT))
    except DamagedData:
        return None


def _read_checked(attempt: Attempt) -> tuple[codec.OutcomeNote, dict[str, bytes]]:
    """The outcome, and the bytes of every file that it vouches for."""
    note = read_outcome(attempt)
    expected = {POINT, ENVIRONMENT} | ({STEPS} if note.outcome is Outcome.COMPLETED else set())
    if note.sha256.keys() != expected:
        raise _damaged(attempt.path / OUTCOME, f"it lists {sorted(note.sha256)}, not {sorted(expected)}")
    folder = attempt.folder
    return note, {
        name: _read_verified(f"{folder}{os.sep}{name}", note.sha256[name]) for name in sorted(expected)
    }


def _read_verified(path: Path | str, sha256: str) -> bytes:
    data = _read_listed(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _damaged(path, "its SHA-256 is not the one in outcome.json; it was changed after writing")
    return data


def _read_listed(path: Path | str) -> bytes:
    try:
        return read_file(path, MAX_STEPS_BYTES)
    except FileNotFoundError as error:
        raise _damaged(path, "it is missing") from error


def _damaged(path: Path | str, problem: str) -> DamagedData:
    return DamagedData(
        f"{path} is damaged: {problem}.",
        "restore it from a copy, or run the same sweep again: it measures the point anew "
        "(then delete this attempt folder).",
    )
