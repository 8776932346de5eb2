"""One try at one point: a folder of its own, decided by the outcome that is written last."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
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
        return self.sweep_path / self.point_id / f"attempt-{self.number}"


def outcome_note(attempt: Attempt, result: AttemptResult) -> codec.OutcomeNote:
    """What outcome.json is to say of this result, with the checksums of the files as they are now."""
    names = (POINT, ENVIRONMENT) if result.steps is None else (POINT, ENVIRONMENT, STEPS)
    contents = {name: _read_listed(attempt.path / name) for name in names}
    environment = codec.decode_environment(contents[ENVIRONMENT], attempt.path / ENVIRONMENT)
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
    path = attempt.path / OUTCOME
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
    return codec.decode_environment(_read_listed(path), path)


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
        environment=codec.decode_environment(contents[ENVIRONMENT], attempt.path / ENVIRONMENT),
        result=note.result(steps),
        finished_utc=note.finished_utc,
    )


def _read_checked(attempt: Attempt) -> tuple[codec.OutcomeNote, dict[str, bytes]]:
    """The outcome, and the bytes of every file that it vouches for."""
    note = read_outcome(attempt)
    expected = {POINT, ENVIRONMENT} | ({STEPS} if note.outcome is Outcome.COMPLETED else set())
    if set(note.sha256) != expected:
        raise _damaged(attempt.path / OUTCOME, f"it lists {sorted(note.sha256)}, not {sorted(expected)}")
    return note, {name: _read_verified(attempt.path / name, note.sha256[name]) for name in sorted(expected)}


def _read_verified(path: Path, sha256: str) -> bytes:
    data = _read_listed(path)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _damaged(path, "its SHA-256 is not the one in outcome.json; it was changed after writing")
    return data


def _read_listed(path: Path) -> bytes:
    try:
        return read_file(path, MAX_STEPS_BYTES)
    except FileNotFoundError as error:
        raise _damaged(path, "it is missing") from error


def _damaged(path: Path, problem: str) -> DamagedData:
    return DamagedData(
        f"{path} is damaged: {problem}.",
        "restore it from a copy, or run the same sweep again: it measures the point anew "
        "(then delete this attempt folder).",
    )
