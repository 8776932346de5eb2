import math
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saih.domain.errors import DamagedData, SaihError
from saih.domain.series import SeriesKind
from saih.interchange.extrap_text import parse_extrap
from saih.interchange.series_rows import Told

ONE = """\
# made by hand
PARAMETER p

POINTS 2 4 8
REGION main
METRIC time
DATA 80 81
DATA 40
DATA 20 20.5 21
REGION main->solve
DATA 70
DATA 35
DATA 17
"""
TWO = """\
PARAMETER p
PARAMETER n
POINTS ( 2 10 ) ( 4 10 ) (2 20)
POINTS ( 4 20 )
METRIC time
REGION sweep
DATA 1 1.1
DATA 2
DATA 3
DATA nan
"""


def test_regions_and_metrics_over_one_parameter_are_series() -> None:
    first, second = parse_extrap(ONE.encode(), "one.txt", Told(unit="s"))
    assert (first.name, second.name) == ("main time", "main->solve time")
    assert (first.axis, first.kind, first.unit) == ("p", SeriesKind.SIZE, "s")
    assert first.values == ((80.0, 81.0), (40.0,), (20.0, 20.5, 21.0))
    assert first.whole[1].place == "line 7, value 2"
    assert second.values == ((70.0,), (35.0,), (17.0,))


def test_every_line_along_a_parameter_of_a_grid_is_a_series() -> None:
    found = {series.name: series for series in parse_extrap(TWO.encode(), "two.txt")}
    assert list(found) == [
        "sweep time over p at n=10", "sweep time over p at n=20",
        "sweep time over n at p=2", "sweep time over n at p=4",
    ]  # fmt: skip
    assert found["sweep time over p at n=10"].values == ((1.0, 1.1), (2.0,))
    assert found["sweep time over n at p=2"].values == ((1.0, 1.1), (3.0,))
    assert math.isnan(found["sweep time over n at p=4"].values[1][0])


def test_json_lines_say_the_same_as_text() -> None:
    lines = "".join(
        f'{{"params": {{"p": {p}, "n": {n}}}, "callpath": "sweep", "metric": "time", "value": {value}}}\n'
        for p, n, value in ((2, 10, 1), (2, 10, 1.1), (4, 10, 2), (2, 20, 3))
    )
    text = TWO.replace("POINTS ( 4 20 )\n", "").replace("DATA nan\n", "")
    ours, theirs = parse_extrap(lines.encode(), "a"), parse_extrap(text.encode(), "b")
    assert [(one.name, one.sizes, one.values) for one in ours] == [
        (one.name, one.sizes, one.values) for one in theirs
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("PARAMETER p\nPOINTS 1 x\n", 2, "'x'"),
        ("PARAMETER p\nPOINTS 1 inf\n", 2, "'inf'"),
        ("PARAMETER p\nPOINTS 0 1\n", 2, "'0'"),
        ("POINTS 1 2\n", 1, "before any PARAMETER"),
        ("PARAMETER p n\nPOINTS 1 2\n", 2, "no points of 2"),
        ("PARAMETER p n\nPOINTS ( 1 2 3 )\n", 2, "no points of 2"),
        ("PARAMETER a b c d e\n", 1, "1 to 4"),
        ("PARAMETER a a\n", 1, "each once"),
        ("PARAMETER p\nPOINTS 1\nDATA 1\nDATA 2\n", 4, "point 2 of 1"),
        ("PARAMETER p\nPOINTS 1\nDATA one\n", 3, "'one'"),
        ("PARAMETER p\nPOINTS 1\nDATA\n", 3, "0 values"),
        ("PARAMETER p\nPOINTS 1\nNONSENSE 1\n", 3, "'NONSENSE'"),
        ("PARAMETER p\nPOINTS 1\n", 2, "no DATA"),
        ("PARAMETER p\nPOINTS 1\nDATA 1\0\n", 3, "NUL"),
        ('{"params": {"p": 1}, "value": "x"}\n', 1, "'x'"),
        ('{"params": {"p": 1}, "value": 1}\n{"params": {"q": 1}, "value": 1}\n', 2, "same"),
        ('{"params": {"p": -1}, "value": 1}\n', 1, "positive"),
        ('{"params": {"p": NaN}, "value": 1}\n', 1, "positive"),
        ('{"params": {"p": 1}, "value": 1}\n{"params"\n', 2, "JSON"),
        ("[" * 100_000, 1, "no word"),
        ("{" * 100_000, 1, "JSON"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(DamagedData) as caught:
        parse_extrap(text.encode(), "file.txt")
    assert f"line {line} of file.txt" in caught.value.problem
    assert words in f"{caught.value.problem} {caught.value.remedy}"
    assert len(caught.value.problem) < 300


@settings(deadline=None, suppress_health_check=list(HealthCheck))  # shared machines stall
@given(st.text(alphabet="PARMETOINSDGC (){}1290.e\n\"':,", max_size=200))
def test_no_text_ends_in_anything_but_series_or_an_error_of_ours(text: str) -> None:
    for begin in ("", "PARAMETER p\nPOINTS 1 2\n", "{"):
        with suppress(SaihError):
            assert parse_extrap((begin + text).encode(), "t")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"params":{"p":1%s},"value":1}' % ("0" * 400), "not positive numbers"),
        ('{"params":{"p":1},"params":{"p":3},"value":1}', "a name stands there twice"),
        ("PARAMETER p q\nPOINTS ( 1 2 ) ( 2 3 )\nDATA 1\nDATA 2", "no two points differ in one of p, q"),
        ("PARAMETER p q\nPOINTS ( 1 ( 2 ) 3 4 )\nDATA 1\nDATA 2", "make no points of 2 parameters"),
        ("PARAMETER p\nPOINTS 1 2\nREGION a\nDATA 1\nDATA 2\nREGION a\nDATA 7\nDATA 8", "'a' has its DATA"),
        ("PARAMETER p\nPOINTS 1e-300 2\nDATA 1\nDATA 2", "not one between 1e-12 and 1e+24"),
    ],
)  # fmt: skip
def test_points_that_contradict_themselves_are_refused(text: str, words: str) -> None:
    with pytest.raises(DamagedData) as caught:
        parse_extrap(text.encode(), "grid.txt")
    assert words in caught.value.problem


def test_a_whole_number_beyond_doubles_is_infinite_and_left_to_the_analysis() -> None:
    (found,) = parse_extrap(f'{{"params":{{"p":1}},"value":-1{"0" * 400}}}'.encode(), "big.jsonl")
    assert found.values == ((-math.inf,),)


def test_points_without_data_and_off_every_line_are_told() -> None:
    text = "PARAMETER p q\nPOINTS ( 1 1 ) ( 2 1 ) ( 5 5 ) ( 9 1 )\nREGION a\nDATA 1\nDATA 2\nDATA 3\n"
    (found,) = parse_extrap(text.encode(), "grid.txt")
    assert found.sizes == (1.0, 2.0)
    assert "a has no DATA for 1 of 4 points." in found.remarks
    assert "1 value takes no part (line 6, value 1): no other point differs" in " ".join(found.remarks)
