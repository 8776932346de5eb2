import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.domain.errors import DamagedData
from saih.interchange import mllog
from saih.interchange.mllog import Event, EventKind, encode, parse

GOOD = '{"time_ms": 5, "event_type": "POINT_IN_TIME", "key": "seed", "value": 1, "metadata": {}}'

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(
    st.lists(
        st.builds(
            Event,
            time_ms=st.integers(0, 4 * 10**12).map(float),
            kind=st.sampled_from(EventKind),
            key=st.text(min_size=1, max_size=30),
            value=values,
            metadata=st.dictionaries(st.text(max_size=5), values, max_size=3),
        ),
        max_size=5,
    )
)
def test_what_is_written_is_read_again(events: list[Event]) -> None:
    log = "\n".join(encode(event) for event in events).encode()
    read = parse(log, "log")
    assert [(e.time_ms, e.kind, e.key, e.value, e.metadata) for e in read] == [
        (e.time_ms, e.kind, e.key, e.value, e.metadata) for e in events
    ]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_their_line(noise: bytes) -> None:
    try:
        parse(b":::MLLOG " + noise, "log")
    except DamagedData as error:
        refusal = error
    else:
        return
    assert "line " in refusal.problem


def test_other_lines_are_left_alone_and_lines_are_counted_from_one() -> None:
    log = f"\n[rank 3]: :::MLLOG {GOOD}\r\nEpoch 9/128 \xff\xfe".encode("latin-1")
    (event,) = parse(log, "log")
    assert (event.key, event.value, event.line) == ("seed", 1, 2)


def test_two_events_that_ranks_wrote_onto_one_line_are_both_read() -> None:
    assert len(parse(f":::MLLOG {GOOD}:::MLLOG {GOOD}".encode(), "log")) == 2


HOSTILE = {
    "cut in half": ('{"time_ms": 5, "key"', "line 3"),
    "no object": ("[1]", "not an object"),
    "no key": ('{"time_ms": 5, "event_type": "POINT_IN_TIME"}', "no key"),
    "not a number": (GOOD.replace('"value": 1', '"value": NaN'), "NaN"),
    "beyond all bounds": (GOOD.replace('"value": 1', '"value": 1e999'), "bounds"),
    "before 1970": (GOOD.replace('"time_ms": 5', '"time_ms": -5'), "time_ms is -5"),
    "time is true": (GOOD.replace('"time_ms": 5', '"time_ms": true'), "time_ms is True"),
    "time of text": (GOOD.replace('"time_ms": 5', '"time_ms": "soon"'), "time_ms is 'soon'"),
    "a long whole number": (GOOD.replace('"value": 1', f'"value": {"9" * 5000}'), "line 3"),
    "no such kind": (GOOD.replace("POINT_IN_TIME", "SOMETIME"), "SOMETIME"),
    "said twice": (GOOD.replace('"value": 1', '"value": 1, "value": 2'), "twice"),
    "deep": (GOOD.replace('"value": 1', f'"value": {"[" * 40}{"]" * 40}'), "deep"),
    "very deep": (GOOD.replace('"value": 1', f'"value": {"[" * 100_000}'), "line 3"),
    "half a character": (GOOD.replace('"value": 1', '"value": "\\ud800"'), "half a character"),
    "metadata of text": (GOOD.replace('"metadata": {}', '"metadata": "x"'), "metadata"),
    "something after it": (f"{GOOD} and so on", "stands after its end"),
    "a long line": (GOOD.replace('"value": 1', f'"value": "{"x" * 2**20}"'), "bytes"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_events_are_refused_with_their_line_and_what_is_wrong(name: str) -> None:
    content, said = HOSTILE[name]
    with pytest.raises(DamagedData) as caught:
        parse(f"\n\n:::MLLOG {content}\n".encode(), "result_1.txt")
    assert "line 3 of the log result_1.txt" in caught.value.problem
    assert said in caught.value.problem
    assert len(caught.value.problem) < 500


def test_bytes_that_are_no_text_are_refused_in_events() -> None:
    with pytest.raises(DamagedData, match="no UTF-8"):
        parse(b':::MLLOG {"key": "\xff"}', "log")


def test_a_log_beyond_the_limits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mllog, "MAX_EVENTS", 3)
    with pytest.raises(DamagedData, match="more than 3 events by line 4"):
        parse("\n".join([f":::MLLOG {GOOD}"] * 5).encode(), "log")
    monkeypatch.setattr(mllog, "MAX_LOG_BYTES", 100)
    with pytest.raises(DamagedData, match="bytes, more than 100"):
        parse(b"x" * 101, "log")


def test_what_json_cannot_hold_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode(Event(time_ms=1, kind=EventKind.POINT, key="k", value=math.nan))
    assert (
        json.loads(encode(Event(time_ms=1.4, kind=EventKind.POINT, key="k")).split(" ", 1)[1])["time_ms"] == 1
    )
