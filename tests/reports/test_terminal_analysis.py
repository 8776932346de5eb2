"""An analysis as text on a terminal: width, order, inertness, and what it says."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from saih.domain.trend import Analysis
from saih.reports.terminal_analysis import analysis_text
from saih.reports.terminal_text import columns_of

AnalysisOf = Callable[..., Analysis]
SHAPES = [{}, {"all_fail": True}, {"num_data": 1, "num_model": 1}, {"with_ceilings": False}]


def test_the_terminal_shows_headline_findings_warnings_points_and_failures(analysis_of: AnalysisOf) -> None:
    text = analysis_text(analysis_of(), 120)
    lines = text.splitlines()
    assert lines[0].startswith("cosmoflow-small: share of measured peak ")
    assert "Warnings" in lines
    assert sum(line.endswith(("  memory", "  compute")) for line in lines) == 12
    assert "512^3 x 4, width 8: out of memory after 2 attempts" in " ".join(text.split())
    assert "needs 61 GB of memory per rank" in text


def test_findings_come_first_and_details_last(analysis_of: AnalysisOf) -> None:
    text = analysis_text(analysis_of(), 80)
    order = [text.index(part) for part in ("\n- ", "Verdict, with", "over data", "\n #", "step = ")]
    assert order == sorted(order)


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_line_is_wider_than_the_terminal(
    analysis_of: AnalysisOf, shape: dict[str, object], width: int
) -> None:
    lines = analysis_text(analysis_of(**shape), width).splitlines()
    assert max(map(columns_of, lines)) <= width


def test_letters_of_the_table_stand_in_the_legend(analysis_of: AnalysisOf) -> None:
    lines = analysis_text(analysis_of(), 80).splitlines()
    legend = next(line for line in lines if line.startswith("C compute"))
    assert "M memory" in legend
    assert "o out of memory" in legend
    assert {line.split()[-1] for line in lines if "24  " in line and "%" in line} <= {"C", "M", "I"}


@pytest.mark.parametrize("name", ["\x1b[2Jgone\x9b5m", "\u202egone", "gone\x1b]0;title\x07", "gone" * 3000])
def test_the_terminal_is_never_steered_by_a_name(analysis_of: AnalysisOf, name: str) -> None:
    lines = analysis_text(analysis_of(name=name, suffix="\x1b]0;title\x07"), 80).splitlines()
    assert lines[0].startswith("gone")
    assert all(line.replace(" ", "").isprintable() for line in lines)
    assert max(map(columns_of, lines)) <= 80


@pytest.mark.parametrize(
    "suffix", [" 宇宙宇宙宇宙", " كون", " $\\alpha$ & <b>", " \N{COMBINING ACUTE ACCENT}"]
)
def test_columns_stay_aligned_beside_wide_and_combining_characters(
    analysis_of: AnalysisOf, suffix: str
) -> None:
    lines = analysis_text(analysis_of(suffix=suffix), 100).splitlines()
    start = next(number for number, line in enumerate(lines) if line.lstrip().startswith("#"))
    ends = {columns_of(line[: line.index("%]")]) if "%]" in line else None for line in lines[start + 2 :]}
    assert len({columns_of(line[: line.index("]")]) for line in lines[start + 2 : start + 8]}) == 1, ends


def test_without_ceilings_the_terminal_shows_rates(analysis_of: AnalysisOf) -> None:
    text = analysis_text(analysis_of(with_ceilings=False), 80)
    assert "share of measured peak" not in text.splitlines()[0]
    assert "FLOP/s" in text.splitlines()[0]
    assert "Rate (no peak was measured)" in " ".join(text.split())


def test_many_points_are_shown_by_their_ends(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    many = replace(analysis, points=analysis.points * 34, trends=analysis.trends * 12)
    text = analysis_text(many, 80)
    assert "points between them not shown; --json lists all" in text
    assert len(text.splitlines()) < 250
