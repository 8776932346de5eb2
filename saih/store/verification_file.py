"""Where the switching of a measured point is kept: verification.json beside its attempt, whole or absent."""

from collections.abc import Sequence
from pathlib import Path

from saih.domain.errors import DamagedData
from saih.domain.record import Outcome, Record
from saih.domain.verification import Trial
from saih.store.attempt import Attempt, read_whole_outcome
from saih.store.document import parse, render
from saih.store.files import MAX_JSON_BYTES, read_file, write_file, writing_at
from saih.store.structure import from_json
from saih.store.sweep_folder import SweepFolder, attempts_of

VERIFICATION = "verification.json"
_KIND = "saih verification"
_REMEDY = "delete this file; `saih verify` with the sweep runs it again, and no point is lost."


def write_trial(attempt: Attempt, trial: Trial) -> None:
    """Keep ``trial`` beside the attempt that it belongs to, replacing an earlier one at once.

    Raises:
        ValueError: for a trial of another attempt.
    """
    if trial.record_id != _record_id(attempt):
        raise ValueError(f"a trial of {trial.record_id} does not belong to {_record_id(attempt)}")
    with writing_at(attempt.path):
        write_file(attempt.path / VERIFICATION, encode_trial(trial))


def read_trial(attempt: Attempt) -> Trial | None:
    """The trial of an attempt; None where none was run.

    Raises:
        DamagedData: when it is not what was written, or belongs elsewhere.
    """
    path = attempt.path / VERIFICATION
    try:
        trial = decode_trial(read_file(path, MAX_JSON_BYTES), path)
    except FileNotFoundError:
        return None
    if trial.record_id != _record_id(attempt):
        raise DamagedData(f"{path} is the verification of {trial.record_id}.", _REMEDY)
    return trial


def read_trials(
    folder: SweepFolder, records: Sequence[Record]
) -> tuple[dict[str, Trial], tuple[DamagedData, ...]]:
    """The trials of these records by record id, and which do not verify or are of another environment."""
    found: dict[str, Trial] = {}
    refused: list[DamagedData] = []
    for record in records:
        if record.result.outcome is not Outcome.COMPLETED:
            continue
        attempt = Attempt(sweep_path=folder.path, point_id=record.point.point_id, number=record.attempt)
        try:
            trial = read_trial(attempt)
            if trial is not None:
                _require_environment(trial, record, attempt)
        except DamagedData as error:
            refused.append(error)
            continue
        if trial is not None:
            found[record.record_id] = trial
    return found, tuple(refused)


def completed_attempt(folder: SweepFolder, point_id: str) -> Attempt | None:
    """The attempt that counts as the record of a point: the completed one that finished first."""
    found = []
    for attempt in attempts_of(folder, point_id):
        try:
            note = read_whole_outcome(attempt)
        except (FileNotFoundError, DamagedData):
            continue
        if note.outcome is Outcome.COMPLETED:
            found.append((note.finished_utc, attempt.number, attempt))
    return min(found, key=lambda one: one[:2])[2] if found else None


def is_tried(attempt: Attempt, since_utc: str = "") -> bool:
    """Whether the attempt has a trial, and one that finished after ``since_utc`` where that is given."""
    try:
        trial = read_trial(attempt)
    except DamagedData:
        return False
    return trial is not None and trial.finished_utc >= since_utc


def encode_trial(trial: Trial) -> bytes:
    """The document of a trial."""
    return render(_KIND, trial)


def decode_trial(data: bytes, path: Path) -> Trial:
    """The trial of a document; DamagedData when it is none."""
    return parse(_KIND, data, path, lambda value: from_json(Trial, value), remedy=_REMEDY)


def _require_environment(trial: Trial, record: Record, attempt: Attempt) -> None:
    if trial.environment_id != record.environment.environment_id:
        raise DamagedData(
            f"{attempt.path / VERIFICATION} was run on environment {trial.environment_id}, its record on "
            f"{record.environment.environment_id}.",
            _REMEDY,
        )


def _record_id(attempt: Attempt) -> str:
    return f"{attempt.point_id}/attempt-{attempt.number}"
