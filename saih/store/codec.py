"""Bytes of the JSON files of results/ for each value that is kept there, and back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from saih.domain.batch import Batch
from saih.domain.ceiling import Ceilings
from saih.domain.job import Job
from saih.domain.limits import Limits
from saih.domain.point import Point
from saih.domain.record import AttemptResult, Environment, Outcome, Steps
from saih.store.document import parse, render
from saih.store.structure import StructureError, from_json, require_keys, to_json

_LIMITS_REMEDY = "delete it; running the same sweep again writes it anew, and no point is lost."
_CEILINGS_REMEDY = "delete this file; `saih ceilings` with the sweep measures it again."
_DEFINITION_REMEDY = (
    "restore the file from a copy, or delete this file alone (not its folder, which holds every measured "
    "point) and run `saih sweep` with the same sweep file or preset: what is measured is kept."
)
_Bearer = TypeVar("_Bearer", Job, Batch)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeNote:
    """What outcome.json says: how one attempt ended, and the SHA-256 of each other file of its folder."""

    point_id: str
    attempt: int
    environment_id: str
    outcome: Outcome
    reason: str
    stop_reason: str
    notes: Mapping[str, str]
    finished_utc: str
    sha256: Mapping[str, str]

    def result(self, steps: Steps | None) -> AttemptResult:
        """The attempt's result with its steps."""
        return AttemptResult(
            outcome=self.outcome,
            reason=self.reason,
            stop_reason=self.stop_reason,
            steps=steps,
            notes=self.notes,
        )


def encode_point(point: Point) -> bytes:
    """The document of a point."""
    return render("saih point", _point_to_json(point))


def decode_point(data: bytes, path: Path) -> Point:
    """The point of a document; ``path`` is for messages.

    Raises:
        DamagedData: also when the stored ``point_id`` is not the hash of the stored definition.
    """
    return parse("saih point", data, path, _point_from_json)


def encode_environment(environment: Environment) -> bytes:
    """The document of an environment."""
    return render("saih environment", environment)


def decode_environment(data: bytes, path: Path) -> Environment:
    """The environment of a document; DamagedData when it is not one."""
    return parse("saih environment", data, path, lambda value: from_json(Environment, value))


def encode_job(job: Job) -> bytes:
    """The document of a job."""
    content = {**to_json(job), "points": [_point_to_json(point) for point in job.points]}
    return render("saih job", content)


def decode_job(data: bytes, path: Path) -> Job:
    """The job of a document; DamagedData when it is not one."""
    return parse("saih job", data, path, _job_from_json)


def encode_batch(batch: Batch) -> bytes:
    """The document of a batch."""
    return render(
        "saih batch", {**to_json(batch), "points": [_point_to_json(point) for point in batch.points]}
    )


def decode_batch(data: bytes, path: Path) -> Batch:
    """The batch of a document; DamagedData when it is not one."""
    return parse("saih batch", data, path, _batch_from_json)


def encode_outcome(note: OutcomeNote) -> bytes:
    """The document of an outcome."""
    return render("saih outcome", note)


def decode_outcome(data: bytes, path: Path | str) -> OutcomeNote:
    """The outcome of a document; DamagedData when it is not one."""
    return parse("saih outcome", data, path, lambda value: from_json(OutcomeNote, value))


def encode_ceilings(ceilings: Ceilings) -> bytes:
    """The document of the ceilings of one placement."""
    return render("saih ceilings", ceilings)


def decode_ceilings(data: bytes, path: Path) -> Ceilings:
    """The ceilings of a document; DamagedData when they are none."""
    return parse(
        "saih ceilings", data, path, lambda value: from_json(Ceilings, value), remedy=_CEILINGS_REMEDY
    )


def encode_limits(limits: Limits) -> bytes:
    """The document of the room on a sweep's machine."""
    return render("saih limits", limits)


def decode_limits(data: bytes, path: Path) -> Limits:
    """The limits of a document; DamagedData when they are none."""
    return parse("saih limits", data, path, lambda value: from_json(Limits, value), remedy=_LIMITS_REMEDY)


def encode_definition(definition: Mapping[str, Any]) -> bytes:
    """The document of a sweep's definition (plain JSON values)."""
    return render("saih sweep", dict(definition))


def decode_definition(data: bytes, path: Path) -> Mapping[str, Any]:
    """The definition of a document; DamagedData when it is none."""
    return parse("saih sweep", data, path, _object, remedy=_DEFINITION_REMEDY)


def _object(value: Any) -> Mapping[str, Any]:
    return require_keys(value, tuple(value) if isinstance(value, dict) else (), "the definition")


def _point_to_json(point: Point) -> dict[str, Any]:
    return {**to_json(point), "point_id": point.point_id}


def _point_from_json(value: Any) -> Point:
    fields = dict(require_keys(value, tuple(value) if isinstance(value, dict) else (), "point"))
    stored = fields.pop("point_id", None)
    point: Point = from_json(Point, fields, "point")
    if stored != point.point_id:
        raise StructureError(
            f"its point_id is {stored!r}, but its definition hashes to {point.point_id!r}",
        )
    return point


def _job_from_json(value: Any) -> Job:
    return _with_points(Job, value, "job")


def _batch_from_json(value: Any) -> Batch:
    return _with_points(Batch, value, "batch")


def _with_points(kind: type[_Bearer], value: Any, name: str) -> _Bearer:
    """A value with points, each of which must hash to the id that is stored with it."""
    documents = value.get("points") if isinstance(value, dict) else None
    if not isinstance(documents, list):
        raise StructureError(f"points of the {name} is {documents!r}, expected a list")
    bearer: _Bearer = from_json(kind, {**value, "points": []}, name)
    return replace(bearer, points=tuple(_point_from_json(document) for document in documents))
