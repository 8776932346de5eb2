"""A report of an application that trains nothing does not speak of training."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from saih.domain.trend import Analysis, LossCheck
from saih.reports.caution import cautions, confidence
from saih.reports.document import sentence_of
from saih.reports.method import definitions
from saih.reports.trend_report import write_report
from saih.reports.words import line_name

AnalysisOf = Callable[..., Analysis]
ANSWERED = LossCheck(
    first=0.5, last=0.5, is_learning=None, statement="The mean output is finite.", name="mean output"
)
TRAINING = re.compile(r"\bgradient|\btrain|\bloss\b|\blearn", re.IGNORECASE)


@pytest.fixture
def inference(analysis_of: AnalysisOf) -> Analysis:
    """Points that answer, every second one with work on padding."""
    analysis = analysis_of(edge_fails=False)
    points = tuple(
        replace(point, loss=ANSWERED, techniques={"padding": "left out" if number % 2 else "worked on"})
        for number, point in enumerate(analysis.points)
    )
    return replace(analysis, points=points, warnings=())


def test_cautions_and_definitions_have_the_words_of_what_was_done(
    inference: Analysis, analysis_of: AnalysisOf
) -> None:
    said = [*definitions(inference.points), *map(sentence_of, (*cautions(inference), *confidence(inference)))]
    assert not [text for text in said if TRAINING.search(text)]
    assert any("Do not read the answers" in text for text in said)
    assert any("Training is the forward pass" in text for text in definitions(analysis_of().points))


def test_trends_with_and_without_a_technique_are_told_apart(inference: Analysis) -> None:
    names = {line_name(trend, inference.points) for trend in inference.trends}
    assert any("padding left out" in name for name in names)
    assert any("padding worked on" in name for name in names)


@pytest.mark.slow
def test_the_pages_show_what_is_checked_by_its_name(inference: Analysis, tmp_path: Path) -> None:
    write_report(inference, tmp_path / "report.pdf")
    pages = PdfReader(tmp_path / "report.pdf").pages
    text = " ".join(page.extract_text() for page in pages)
    assert "mean output" in " ".join(text.split())
    assert "NOT FALLING" not in text
