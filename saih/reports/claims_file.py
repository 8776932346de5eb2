"""The claims of a report as JSON: what both kinds of report carry, and what is held against ``results/``."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast, get_args

from saih.domain.claim import Claim
from saih.domain.errors import DamagedData

T = TypeVar("T")
Kind = Literal["trend", "comparison"]
SCHEMA_VERSION = 1
MAX_BYTES = 64 * 2**20
_REMEDY = "make the report anew, or give a file that saih wrote and nobody changed."
_MAX_SHOWN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsFile:
    """Every claim of one report, and the digest of everything that it was made from."""

    kind: Kind
    sweep: str
    environment_id: str
    claims: tuple[Claim, ...]
    records: Mapping[str, str]
    """Record id -> SHA-256; empty where the report was made from no folder of results."""
    ceilings: Mapping[str, str] = field(default_factory=dict)
    """Place below the results folder -> SHA-256."""


def encode(content: ClaimsFile) -> str:
    """The JSON text, the same for the same content, in ASCII and without ``<``: inert in HTML too."""
    value = {
        "schema": SCHEMA_VERSION,
        "kind": content.kind,
        "sweep": content.sweep,
        "environment_id": content.environment_id,
        "claims": [
            {
                "claim_id": claim.claim_id,
                "text": claim.text,
                "record_ids": list(claim.record_ids),
                "fit": claim.fit,
            }
            for claim in content.claims
        ],
        "records": dict(content.records),
        "ceilings": dict(content.ceilings),
    }
    return json.dumps(value, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c")


def decode(text: str | bytes, where: str) -> ClaimsFile:
    """The claims of such a text; ``where`` is told when it is none.

    Raises:
        DamagedData: for another shape, a newer schema, or more than 64 MiB.
    """
    if len(text) > MAX_BYTES:
        raise DamagedData(f"the claims in {where} have more than {MAX_BYTES} bytes", _REMEDY)
    try:
        return _content(json.loads(text, object_pairs_hook=_unique), where)
    except (ValueError, RecursionError) as error:  # a decoding error is a ValueError, too
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise DamagedData(f"the claims in {where} cannot be read: {reason}", _REMEDY) from error


def _content(value: Any, where: str) -> ClaimsFile:  # Any: JSON values, not checked yet
    fields = _object(value, "the claims")
    _require_schema(fields.get("schema"), where)
    kind = _text(fields.get("kind"), "kind")
    if kind not in get_args(Kind):
        raise ValueError(f"kind is {kind[:_MAX_SHOWN]!r}, expected one of {', '.join(get_args(Kind))}")
    return ClaimsFile(
        kind=cast("Kind", kind),
        sweep=_text(fields.get("sweep"), "sweep"),
        environment_id=_text(fields.get("environment_id"), "environment_id"),
        claims=_listed(fields.get("claims"), "claims", _claim),
        records=_texts(fields.get("records"), "records"),
        ceilings=_texts(fields.get("ceilings", {}), "ceilings"),
    )


def _require_schema(schema: Any, where: str) -> None:  # Any: see _content
    if type(schema) is not int or schema < 1:
        raise ValueError(f"schema is {str(schema)[:_MAX_SHOWN]!r}, expected 1 to {SCHEMA_VERSION}")
    if schema > SCHEMA_VERSION:
        raise DamagedData(
            f"the claims in {where} have schema {schema}; this saih reads up to schema {SCHEMA_VERSION}",
            f"use a saih that knows schema {schema}.",
        )


def _claim(value: Any) -> Claim:  # Any: see _content
    fields = _object(value, "a claim")
    return Claim(
        claim_id=_text(fields.get("claim_id"), "claim_id"),
        text=_text(fields.get("text"), "text"),
        record_ids=_listed(fields.get("record_ids"), "record_ids", lambda item: _text(item, "record_ids")),
        fit=_text(fields.get("fit"), "fit"),
    )


def _listed(value: Any, name: str, read: Callable[[Any], T]) -> tuple[T, ...]:  # Any: see _content
    if not isinstance(value, list):
        raise ValueError(f"{name} is {_kind_of(value)}, expected a list")  # noqa: TRY004 - see decode
    return tuple(read(item) for item in value)


def _texts(value: Any, name: str) -> dict[str, str]:  # Any: see _content
    return {key: _text(item, name) for key, item in _object(value, name).items()}


def _object(value: Any, name: str) -> dict[str, Any]:  # Any: see _content
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {_kind_of(value)}, expected an object")  # noqa: TRY004 - see decode
    return value


def _text(value: Any, name: str) -> str:  # Any: see _content
    if not isinstance(value, str):
        raise ValueError(f"{name} is {_kind_of(value)}, expected a text")  # noqa: TRY004 - see decode
    return value


def _kind_of(value: Any) -> str:  # Any: see _content
    return "missing" if value is None else f"of type {type(value).__name__}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return found
