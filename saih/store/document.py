"""A JSON document with its kind, schema version and checksum: what every .json file of results/ is."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from saih.domain.errors import DamagedData, SaihError
from saih.domain.point import SCHEMA_VERSION
from saih.store.structure import StructureError, require_keys, to_json

T = TypeVar("T")
_KEYS = ("content", "kind", "schema_version", "sha256")
_SEAL = b',\n "sha256": '
_REMEDY = (
    "restore it from a copy, or run the same sweep again: it measures the point anew "
    "(then delete this attempt folder)."
)


def render(kind: str, content: Any) -> bytes:
    """The bytes of a document; equal contents give equal bytes.

    Raises:
        ValueError: for a number that is not finite.
    """
    envelope = {"content": to_json(content), "kind": kind, "schema_version": SCHEMA_VERSION}
    text = json.dumps(envelope, indent=1, sort_keys=True, allow_nan=False)
    return _sealed(text.removesuffix("\n}").encode())


def parse(kind: str, data: bytes, path: Path | str, read: Callable[[Any], T], *, remedy: str = _REMEDY) -> T:
    """What ``read`` makes of the content of the document in ``data``; ``path`` and ``remedy`` are told.

    Raises:
        DamagedData: when the bytes are not exactly what ``render`` writes, are of another kind or of a
            newer schema, or when ``read`` refuses the content.
    """
    try:
        envelope = json.loads(data, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        _require_schema(envelope, path)
        require_keys(envelope, _KEYS, "")
        if envelope["kind"] != kind:
            raise StructureError(f"kind is {envelope['kind']!r}, expected {kind!r}")
        if data != _sealed(data[: data.rfind(_SEAL)]):
            raise StructureError("the content does not match its checksum; it was changed after writing")
        return read(envelope["content"])
    except DamagedData:
        raise
    except (ValueError, SaihError, RecursionError) as error:
        problem = error.problem if isinstance(error, SaihError) else str(error)
        raise DamagedData(f"{path} is damaged: {problem}.", remedy) from error


def _require_schema(envelope: Any, path: Path | str) -> None:
    version = envelope.get("schema_version") if isinstance(envelope, dict) else None
    if type(version) is not int or version < 1:
        raise StructureError(f"schema_version is {version!r}, expected 1 to {SCHEMA_VERSION}")
    if version > SCHEMA_VERSION:
        raise DamagedData(
            f"{path} was written with schema {version}; this saih reads up to schema {SCHEMA_VERSION}.",
            f"use a saih that knows schema {version}.",
        )


def _sealed(body: bytes) -> bytes:
    """A document whose last entry is the checksum of every byte before it."""
    return b'%b%b"%b"\n}\n' % (body, _SEAL, hashlib.sha256(body).hexdigest().encode())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StructureError("a key appears twice in one object")
    return found


def _refuse_constant(name: str) -> Any:
    raise StructureError(f"{name} is not a number")
