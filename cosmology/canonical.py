"""Frozen values as plain JSON values, and the hash that names them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any


def plain_fields(value: Any) -> dict[str, object]:
    """The fields of a frozen value whose fields are numbers, names or tuples of numbers."""
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}


def digest(canonical: Mapping[str, object]) -> str:
    """First 16 hexadecimal digits of the SHA-256 of plain values."""
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, str):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
