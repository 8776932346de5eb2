"""What the worker says while it works: one line ``saih-event {json}`` for each event."""

import json
from collections.abc import Mapping
from typing import Any

from saih.domain import errors
from saih.domain.errors import SaihError
from saih.domain.job import EVENT_PREFIX

Event = Mapping[str, Any]
_KINDS = (
    errors.Superseded,
    errors.UsageError,
    errors.EnvironmentMissing,
    errors.DamagedData,
    errors.GateFailed,
    errors.Interrupted,
)


def parse_event(line: str) -> Event | None:
    """The event of a line of the worker's output; None when the line is ordinary output."""
    if not line.startswith(EVENT_PREFIX):
        return None
    try:
        event = json.loads(line.removeprefix(EVENT_PREFIX))
    except (ValueError, RecursionError):
        return None
    is_event = isinstance(event, dict) and isinstance(event.get("event"), str)
    return event if is_event else None


def message(text: str) -> Event:
    """The event of a message for the user."""
    return {"event": "message", "text": text}


def error_of(event: Event) -> SaihError:
    """The error that an ``error`` event stands for."""
    kinds = {kind.__name__: kind for kind in _KINDS}
    kind = kinds.get(str(event.get("kind")), SaihError)
    return kind(str(event.get("problem", "")), str(event.get("remedy", "")))
