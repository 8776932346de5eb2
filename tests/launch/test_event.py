"""Events are lines of their own; everything else is ordinary output."""

import pytest

from saih.domain import errors
from saih.launch.event import error_of, parse_event


def test_an_event_line_is_its_json() -> None:
    assert parse_event('saih-event {"event": "progress", "done": 1}') == {"event": "progress", "done": 1}


@pytest.mark.parametrize(
    "line",
    [
        "",
        "step 1 took 3 ms",
        'x saih-event {"event": "message"}',
        "saih-event {",
        "saih-event []",
        'saih-event {"event": 3}',
        "saih-event " + "[" * 100_000,
    ],
)
def test_anything_else_is_ordinary_output(line: str) -> None:
    assert parse_event(line) is None


@pytest.mark.parametrize(
    "kind",
    [
        errors.UsageError,
        errors.EnvironmentMissing,
        errors.DamagedData,
        errors.GateFailed,
        errors.Interrupted,
        errors.SaihError,
    ],
)
def test_an_error_event_is_the_error_of_its_kind(kind: type[errors.SaihError]) -> None:
    error = error_of({"event": "error", "kind": kind.__name__, "problem": "p", "remedy": "r"})
    assert (type(error), error.problem, error.remedy) == (kind, "p", "r")


def test_an_error_of_an_unknown_kind_is_still_an_error() -> None:
    assert type(error_of({"event": "error", "kind": "Zebra", "problem": "p"})) is errors.SaihError
