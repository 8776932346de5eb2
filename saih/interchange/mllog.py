"""MLPerf's log format: one JSON object after ``:::MLLOG`` on each line that is an event.

Format: https://github.com/mlcommons/logging. Logs are untrusted text: they are bounded, and a line that
holds an event but cannot be read is an error with its number. Lines without the token are not events.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Any, NoReturn

from saih.domain.errors import DamagedData

TOKEN = ":::MLLOG"  # noqa: S105 - no password
MAX_LOG_BYTES = 64 * 2**20
MAX_LINE_BYTES = 2**20
MAX_EVENTS = 500_000
MAX_TIME_MS = 4_102_444_800_000
"""The year 2100."""
_MAX_KEY = 200
_SHOWN = 80
_MAX_DEPTH = 20


class EventKind(StrEnum):
    """What an event marks."""

    START = "INTERVAL_START"
    END = "INTERVAL_END"
    POINT = "POINT_IN_TIME"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a log."""

    time_ms: float
    """Milliseconds since 1970 UTC."""
    kind: EventKind
    key: str
    value: Any = None  # Any: a JSON value
    metadata: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0
    """Where it stands in its log, from 1; 0 for an event that was not read."""


def parse(content: bytes, name: str) -> tuple[Event, ...]:
    """The events of a log in the order of its lines; ``name`` is what errors call the log.

    A line may hold other text before its event (launchers write the rank there), and several events, as
    when ranks write at once.

    Raises:
        DamagedData: for an event that cannot be read, with its line, or a log beyond the limits.
    """
    if len(content) > MAX_LOG_BYTES:
        raise DamagedData(
            f"the log {name} has {len(content)} bytes, more than {MAX_LOG_BYTES}",
            "keep the lines with events only: grep MLLOG.",
        )
    events: list[Event] = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if TOKEN.encode() not in line:
            continue
        try:
            events += _events(line, number)
        except (ValueError, RecursionError) as error:
            raise DamagedData(
                f"line {number} of the log {name} holds no readable event: {_reason(error)}",
                "take the log as the run wrote it, or leave it out.",
            ) from error
        if len(events) > MAX_EVENTS:
            raise DamagedData(
                f"the log {name} has more than {MAX_EVENTS} events by line {number}",
                "split it into one log for each run.",
            )
    return tuple(events)


def encode(event: Event) -> str:
    """The line of an event, without line end.

    Raises:
        ValueError: for a value that JSON cannot hold.
    """
    content = {
        "namespace": "",
        "time_ms": round(event.time_ms),
        "event_type": str(event.kind),
        "key": event.key,
        "value": event.value,
        "metadata": dict(event.metadata),
    }
    return f"{TOKEN} {json.dumps(content, allow_nan=False)}"


def _events(line: bytes, number: int) -> Iterator[Event]:
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"it has {len(line)} bytes, more than {MAX_LINE_BYTES}")
    text = line.decode("utf-8")
    begin = text.index(TOKEN)
    while begin >= 0:
        place = begin + len(TOKEN)
        place += len(text) - place - len(text[place:].lstrip())
        content, end = _decoder().raw_decode(text, place)
        yield _event(content, number)
        begin = text.find(TOKEN, end)
        rest = text[end:] if begin < 0 else ""
        if rest.strip():
            raise ValueError(f"{rest.strip()[:_SHOWN]!r} stands after its end")


def _event(content: Any, number: int) -> Event:
    _demand(isinstance(content, dict), f"it is a {type(content).__name__}, not an object")
    missing = [name for name in ("time_ms", "event_type", "key") if name not in content]
    _demand(not missing, f"it has no {', '.join(missing)}")
    time_ms, kind, key = content["time_ms"], content["event_type"], content["key"]
    metadata = content.get("metadata") or {}
    is_time = (
        isinstance(time_ms, int | float) and not isinstance(time_ms, bool) and 0 <= time_ms <= MAX_TIME_MS
    )
    _demand(is_time, f"time_ms is {_short(time_ms)}, not milliseconds since 1970")
    _demand(isinstance(key, str) and 0 < len(key) <= _MAX_KEY, f"key is {_short(key)}, not a name")
    _demand(kind in list(EventKind), f"event_type is {_short(kind)}, not one of {', '.join(EventKind)}")
    _demand(isinstance(metadata, dict), f"metadata is {_short(metadata)}, not an object")
    _check(content, 0)
    return Event(
        time_ms=float(time_ms),
        kind=EventKind(kind),
        key=key,
        value=content.get("value"),
        metadata=metadata,
        line=number,
    )


def _check(value: Any, depth: int) -> None:
    """Refuse what is nested too deep, no finite number (such as 1e999), or text that no file can hold."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"it is nested deeper than {_MAX_DEPTH}")
    if isinstance(value, float) and not math.isfinite(value):
        _refuse("holds a number beyond all bounds")
    if isinstance(value, str):
        value.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    inner = (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        _check(item, depth + 1)


@cache
def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(parse_constant=lambda name: _refuse(f"holds {name}"), object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            _refuse(f"says {_short(name)} twice")
        found[name] = value
    return found


def _demand(is_so: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not is_so:
        raise ValueError(otherwise)


def _refuse(what: str) -> NoReturn:
    raise ValueError(f"it {what}")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is no UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return "it holds half a character"
    return "it is nested too deep" if isinstance(error, RecursionError) else str(error)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
