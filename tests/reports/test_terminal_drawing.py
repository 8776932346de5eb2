"""Small drawings in characters: laws that hold for every value."""

import math

import pytest

from saih.domain.interval import Interval
from saih.reports.terminal_bars import LEVELS, bar, gauge, sparkline
from saih.reports.terminal_plot import SEVERAL, Frame, Series, plot_lines
from saih.reports.terminal_table import table_lines
from saih.reports.terminal_text import columns_of, cut, padded, visible, wrapped

FRAME = Frame(
    width=60, height=11, size_words=lambda size: f"{size:g}", value_words=lambda value: f"{value:g}"
)


def around(value: float, width: float) -> Interval:
    return Interval(low=value - width, value=value, high=value + width, level=0.95, count=9)


@pytest.mark.parametrize("share", [-1.0, 0.0, 1e-9, 0.1, 0.5, 0.999, 1.0, 7.0, math.nan])
def test_bars_keep_their_width_and_show_anything_above_nothing(share: float) -> None:
    assert len(bar(share, 10)) == len(gauge(0.0 if math.isnan(share) else share, 10)) == 10
    assert (bar(share, 10).strip() != "") is (share > 0)


def test_a_gauge_is_full_only_when_all_is_done() -> None:
    assert "░" in gauge(0.9999, 10)
    assert gauge(1.0, 10) == "█" * 10


def test_a_sparkline_goes_from_its_lowest_to_its_highest_level() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8], 8) == LEVELS
    assert sparkline([5.0] * 3, 8) == LEVELS[3] * 3
    assert sparkline([1.0, math.nan, 2.0], 8) == f"{LEVELS[0]}?{LEVELS[-1]}"
    assert sparkline([], 8) == ""
    assert len(sparkline(range(1000), 40)) == 40


def test_a_plot_has_a_mark_at_every_value_and_bars_over_intervals() -> None:
    series = Series(mark="a", sizes=(1.0, 10.0, 100.0), values=(around(1, 0), around(5, 2), around(10, 0)))
    lines = plot_lines([series], FRAME)
    columns = [line.index("a") for line in lines if "a" in line]
    assert len(lines) == FRAME.height + 2
    assert sorted(columns)[1] - sorted(columns)[0] == pytest.approx(
        sorted(columns)[2] - sorted(columns)[1], abs=1
    )
    middle = [line.ljust(FRAME.width)[sorted(columns)[1]] for line in lines[: FRAME.height]]
    assert sum(character in "│a" for character in middle) == 5
    assert all(columns_of(line) <= FRAME.width for line in lines)
    assert lines[-1].split() == ["1", "10", "100"]


def test_marks_that_meet_are_shown_as_several() -> None:
    made = [Series(mark=mark, sizes=(1.0,), values=(around(3, 0),)) for mark in "ab"]
    assert sum(SEVERAL in line for line in plot_lines(made, FRAME)) == 1


@pytest.mark.parametrize("value", [1e-30, 0.0123, 0.999, 1.0, 3.7e15])
def test_every_positive_value_finds_its_scale(value: float) -> None:
    lines = plot_lines([Series(mark="a", sizes=(4.0,), values=(around(value, 0),))], FRAME)
    assert sum("a" in line for line in lines) == 1


def test_nothing_is_plotted_for_nothing() -> None:
    assert plot_lines([], FRAME) == []
    assert plot_lines([Series(mark="a", sizes=(1.0,), values=(around(0, 0),))], FRAME) == []


def test_wide_characters_count_twice_and_combining_ones_not_at_all() -> None:
    assert columns_of("宇宙") == 4
    assert columns_of("e\N{COMBINING ACUTE ACCENT}") == 1
    assert cut("宇宙宇宙", 5) == "宇宙…"
    assert padded("宇", 4) == "宇  "
    assert visible("a\x1b[31mb\u202ec\x07\x1b]0;t\x07d") == "abcd"


@pytest.mark.parametrize("text", ["word " * 40, "x" * 300, "宇" * 100, "a\nb\tc"])
def test_wrapped_lines_keep_the_width_and_lose_no_word(text: str) -> None:
    lines = wrapped(text, 40, "- ", "  ")
    assert all(columns_of(line) <= 40 for line in lines)
    assert "".join(lines).replace("- ", "").replace(" ", "") == "".join(text.split())


def test_a_table_cuts_texts_before_it_moves_columns_below() -> None:
    rows = [("1", "a long description of a point", "12.5 ms", "38 %"), ("2", "another one", "7 ms", "4 %")]
    header = ("#", "point", "step", "share")
    assert "a long description of a point" in "\n".join(table_lines(header, rows))
    narrow = table_lines(header, rows, width=40, cuttable=((1,),))
    assert max(map(columns_of, narrow)) <= 40
    assert len(narrow) == 4
    assert "12.5 ms" in narrow[2]
    split = table_lines(header, rows, width=18, cuttable=((1,),))
    assert "" in split
    assert sum(line.lstrip().startswith("#") for line in split) >= 2
    assert "12.5 ms" in "\n".join(split)
