"""The files of one finished attempt, checked against each other before they are part of a sweep."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from saih.domain.point import Placement
from saih.domain.record import Outcome, environment_id
from saih.store import codec
from saih.store.attempt import ENVIRONMENT, OUTCOME, POINT, STEPS
from saih.store.bundle_refusal import decoded, refusal
from saih.store.verification_file import VERIFICATION, decode_trial


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedAttempt:
    """What the files of an attempt say of themselves."""

    point_id: str
    environment_id: str
    placement: Placement
    is_lost: bool
    finished_utc: str


def check_attempt(point_id: str, attempt: str, files: Mapping[str, bytes]) -> CheckedAttempt:
    """The attempt ``attempt-N`` at a point, if its files belong together and each is what was written.

    Raises:
        DamagedData: for a file that is missing, or changed, or of another record.
    """
    place = f"points/{point_id}/{attempt}"
    if OUTCOME not in files:
        raise refusal("it has no outcome", place)
    note = decoded(codec.decode_outcome, files[OUTCOME], f"{place}/{OUTCOME}")
    if (note.point_id, f"attempt-{note.attempt}") != (point_id, attempt):
        raise refusal(f"it is the outcome of {note.point_id}/attempt-{note.attempt}", place)
    _require_listed(files, note, place)
    point = decoded(codec.decode_point, files[POINT], f"{place}/{POINT}")
    environment = decoded(codec.decode_environment, files[ENVIRONMENT], f"{place}/{ENVIRONMENT}")
    if point.point_id != point_id:
        raise refusal(f"it is point {point.point_id}", place)
    if environment.environment_id != environment_id(environment.facts):
        raise refusal("its environment id does not follow from its facts", f"{place}/{ENVIRONMENT}")
    if environment.environment_id != note.environment_id:
        raise refusal("its outcome is of another environment", f"{place}/{ENVIRONMENT}")
    if VERIFICATION in files:
        _require_trial(files[VERIFICATION], note, place)
    if STEPS in files:
        from saih.store.steps_file import decode_steps  # noqa: PLC0415 - HDF5 is slow to load

        decoded(decode_steps, files[STEPS], f"{place}/{STEPS}")
    return CheckedAttempt(
        point_id=point_id,
        environment_id=environment.environment_id,
        placement=point.placement,
        is_lost=note.outcome is Outcome.LOST,
        finished_utc=note.finished_utc,
    )


def _require_trial(data: bytes, note: codec.OutcomeNote, place: str) -> None:
    """Refuse the windows of another record, or of another environment."""
    trial = decoded(decode_trial, data, f"{place}/{VERIFICATION}")
    if trial.record_id != f"{note.point_id}/attempt-{note.attempt}":
        raise refusal(f"it is the verification of {trial.record_id}", f"{place}/{VERIFICATION}")
    if trial.environment_id != note.environment_id:
        raise refusal("its outcome is of another environment", f"{place}/{VERIFICATION}")


def _require_listed(files: Mapping[str, bytes], note: codec.OutcomeNote, place: str) -> None:
    """Refuse files other than those that the outcome lists, with their checksums."""
    expected = {POINT, ENVIRONMENT} | ({STEPS} if note.outcome is Outcome.COMPLETED else set())
    beside = {OUTCOME} | ({VERIFICATION} & files.keys() if note.outcome is Outcome.COMPLETED else set())
    if files.keys() != expected | beside or note.sha256.keys() != expected:
        raise refusal(f"it holds {sorted(files)}, and its outcome lists {sorted(note.sha256)}", place)
    for name in sorted(expected):
        if hashlib.sha256(files[name]).hexdigest() != note.sha256[name]:
            raise refusal("it was changed or replaced: its SHA-256 is not the outcome's", f"{place}/{name}")
