import math
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saih.domain.errors import DamagedData, SaihError, UsageError
from saih.domain.series import SeriesKind
from saih.interchange.series_csv import MAX_CELLS, parse_csv
from saih.interchange.series_rows import MAX_SIZES, Told
from saih.interchange.series_text import MAX_LINES

HEADER = "series,axis,kind,size,repeat,value,unit,phase,facts\n"
ROWS = (
    "a,ranks,strong,1,1,40.5,s,,nodes=1\n"
    "a,ranks,strong,2,1,20.5,s,,nodes=1\n"
    "a,ranks,strong,2,2,20.9,s,,nodes=1\n"
    "a,ranks,strong,1,1,40,s,compute,nodes=1\n"
    "b,ranks,strong,1,1,7,s,,nodes=2\n"
)


def test_every_column_says_what_it_is_documented_to_say() -> None:
    first, second = parse_csv((HEADER + ROWS).encode(), "table.csv")
    assert (first.name, first.axis, first.kind, first.unit) == ("a", "ranks", SeriesKind.STRONG, "s")
    assert first.sizes == (1.0, 2.0)
    assert first.values == ((40.5,), (20.5, 20.9))
    assert [one.value for one in first.phases["compute"]] == [40.0]
    assert first.facts == {"nodes": "1"}
    assert first.whole[2].place == "line 4, run 2"
    assert first.remarks == ()
    assert (second.name, second.values) == ("b", ((7.0,),))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_line_ends_and_byte_order_marks_of_others_are_read(separator: str, end: str) -> None:
    text = "\ufeff" + (HEADER + ROWS).replace(",", separator).replace("\n", end)
    assert [one.values for one in parse_csv(text.encode(), "t")] == [((40.5,), (20.5, 20.9)), ((7.0,),)]


def test_columns_of_others_are_named_and_the_rest_is_left_alone() -> None:
    text = "nodes,t,comment\n1,5,=1+1 is no formula of ours\n2,3,x\n"
    (series,) = parse_csv(text.encode(), "t", Told(columns={"size": "nodes", "value": "t"}, unit="ms"))
    assert (series.sizes, series.unit, series.name) == ((1.0, 2.0), "ms", "t")


def test_values_that_are_no_durations_are_kept_for_the_analysis_to_name() -> None:
    text = "size,value\n1,nan\n2,\n4,-3\n8,0\n16,inf\n32,1e400\n"
    (series,) = parse_csv(text.encode(), "t")
    values = [one.value for one in series.whole]
    assert [one.written for one in series.whole] == ["nan", "", "-3", "0", "inf", "1e400"]
    assert math.isnan(values[0])
    assert math.isnan(values[1])
    assert values[2:] == [-3.0, 0.0, math.inf, math.inf]
    assert not any(one.is_usable for one in series.whole)


def test_another_environment_makes_another_series_and_says_so() -> None:
    rows = "".join(f"{size},{size},environment={name}\n" for name in ("A", "B") for size in (1, 2, 4))
    first, second = parse_csv(f"size,value,facts\n{rows}".encode(), "t")
    assert (first.name, second.name) == ("t on A", "t on B")
    assert "measured on 2 environments (A, B)" in " ".join(first.remarks)
    assert len(first.whole) == len(second.whole) == 3


@pytest.mark.parametrize(
    ("values", "kind"), [((8, 4, 2), SeriesKind.STRONG), ((1, 1.1, 1.3), SeriesKind.WEAK)]
)
def test_what_grows_is_taken_from_the_values_where_the_file_does_not_say(
    values: tuple[float, ...], kind: SeriesKind
) -> None:
    rows = "".join(f"{2**index},{value},GPUs\n" for index, value in enumerate(values))
    (series,) = parse_csv(f"size,value,axis\n{rows}".encode(), "t")
    assert series.kind is kind
    assert f"taken for {kind}" in series.remarks[0]
    (told,) = parse_csv(f"size,value,axis\n{rows}".encode(), "t", Told(kind=SeriesKind.SIZE))
    assert (told.kind, told.remarks) == (SeriesKind.SIZE, ())


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"size,value\n1,2\n3,4\0\n", 3, "NUL"),
        (b"size,value\n1,2\n\xe9,4\n", 3, "no UTF-8"),
        ("size,value\n1,2\n".encode("utf-16"), 1, "UTF-16"),
        (b"size,value\n1,=cmd|'/c calc'!A1\n", 2, "formula"),
        (b"size,value,series\n1,2,@SUM(A1)\n", 2, "formula"),
        (b"size,value\n1,2,3\n", 2, "3 cells, the header 2"),
        (b"size,value\n" + b"," * 1_000 + b"\n", 2, f"more than {MAX_CELLS}"),
        (b"a," * 1_000_000 + b"size,value\n1,2\n", 1, "bytes"),
        (b"size,value\n" + b"1" * 70_000 + b",2\n", 2, "bytes"),
        (b"size,value\n" + b"1" * 2_000 + b",2\n", 2, "characters"),
        (b"size,value\nnan,2\n", 2, "no positive number"),
        (b"size,value\ninf,2\n", 2, "no positive number"),
        (b"size,value\n0,2\n", 2, "no positive number"),
        (b"size,value\n-4,2\n", 2, "no positive number"),
        (b"size,value\n1,2 s\n", 2, "'2 s', no number"),
        (b"size,value\n1,1_000\n", 2, "no number"),
        ("size,value\n1,\u0663\n".encode(), 2, "no number"),
        (b"size;value\n1;2,5\n", 2, "no number"),
        (b'size,value,series\n1,2,"a\n', 2, "quotes"),
        (b"size,value,kind\n1,2,sideways\n", 2, "'sideways'"),
        (b"size,value,low,high\n1,2,3,4\n", 2, "no interval"),
        (b"size,value,facts\n1,2,nonsense\n", 2, "'nonsense'"),
        (b"size,value,size\n1,2,3\n", 1, "twice"),
        (b"size,colour\n1,2\n", 1, "'colour'"),
        (b"value\n1\n", 1, "no column size"),
        (b"size,value\n", 1, "no line below"),
        (b"\n" * (MAX_LINES + 1) + b"1", MAX_LINES + 2, "lines"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_its_line(content: bytes, line: int, words: str) -> None:
    with pytest.raises(DamagedData) as caught:
        parse_csv(content, "table.csv")
    assert f"line {line} of table.csv" in caught.value.problem
    assert words in caught.value.problem
    assert len(caught.value.problem) < 400


def test_sizes_that_differ_by_rounding_are_one() -> None:
    (found,) = parse_csv(b"size,value\n0.3,1\n0.30000000000000004,2\n", "table.csv")
    assert found.values == ((1.0, 2.0),)


def test_more_sizes_than_any_law_needs_are_refused() -> None:
    lines = "".join(f"{size},1\n" for size in range(1, MAX_SIZES + 2))
    with pytest.raises(DamagedData, match="1001 sizes, more than 1000"):
        parse_csv(f"size,value\n{lines}".encode(), "table.csv")


def test_lines_of_one_series_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(DamagedData, match=r"line 2 and line 3 .*two values of unit .*: s and ms"):
        parse_csv(b"size,value,unit\n1,2,s\n2,3,ms\n", "table.csv")


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'t', a column that table.csv does not have"):
        parse_csv(b"size,value\n1,2\n", "table.csv", Told(columns={"value": "t"}))


@settings(deadline=None, suppress_health_check=list(HealthCheck))  # shared machines stall
@given(st.binary(max_size=300))
def test_no_bytes_end_in_anything_but_series_or_an_error_of_ours(content: bytes) -> None:
    for begin in (b"", b"size,value\n"):
        with suppress(SaihError):
            assert parse_csv(begin + content, "t")
