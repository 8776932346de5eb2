import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from saih.domain.interval import Interval
from saih.domain.trend import Comparison
from saih.reports.comparison_report import verdict, write_comparison

ComparisonOf = Callable[..., Comparison]


def read(path: Path) -> tuple[PdfReader, str]:
    reader = PdfReader(path)
    pages = "\n".join(page.extract_text() for page in reader.pages)
    return reader, re.sub(r"\s+", " ", pages.replace("\u200b", ""))


def test_the_page_names_the_faster_system_with_mean_interval_and_differences(
    comparison_of: ComparisonOf, tmp_path: Path
) -> None:
    reader, text = read(write_comparison(comparison_of(), tmp_path / "comparison.pdf"))
    assert len(reader.pages) == 1
    assert "cluster A is faster: 1.10x [1.07, 1.14] the speed of cluster B" in text
    assert "4 / 0 / 2" in text
    assert "cpu_model: Xeon 8352Y on A, EPYC 7763 on B." in text
    assert "Only cluster A (1): 256^3 x 4, width 32." in text
    assert "0.800x [0.768, 0.840]" in text


def test_without_a_matched_point_the_page_says_that_nothing_can_be_compared(
    comparison_of: ComparisonOf, tmp_path: Path
) -> None:
    reader, text = read(write_comparison(comparison_of(0), tmp_path / "comparison.pdf"))
    assert len(reader.pages) == 1
    assert "Nothing matched: no point was measured on both cluster A and cluster B" in text


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((0.8, 0.9, 0.95), "is slower"),
        ((0.9, 1.0, 1.1), "is neither clearly faster nor slower"),
        ((1.1, 1.2, 1.3), "is faster"),
    ],
)
def test_the_verdict_follows_the_interval_of_the_mean(
    comparison_of: ComparisonOf, bounds: tuple[float, float, float], words: str
) -> None:
    low, value, high = bounds
    mean = Interval(low=low, value=value, high=high, level=0.95, count=6)
    assert words in verdict(replace(comparison_of(), geometric_mean=mean))


def test_forty_points_draw_the_most_different_and_list_all(
    comparison_of: ComparisonOf, tmp_path: Path
) -> None:
    one = comparison_of(5)
    comparison = replace(one, matched=one.matched * 8)
    _, text = read(write_comparison(comparison, tmp_path / "comparison.pdf"))
    assert "The 24 points nearest to equal speed are only in the table." in text
    assert text.count("1.45x [1.39, 1.52]") >= 8 + 8


def test_the_same_comparison_gives_the_same_bytes(comparison_of: ComparisonOf, tmp_path: Path) -> None:
    hostile = '#read("/etc/passwd") $x$ </script>'
    one = write_comparison(comparison_of(name_a=hostile), tmp_path / "one.pdf")
    two = write_comparison(comparison_of(name_a=hostile), tmp_path / "two.pdf")
    assert one.read_bytes() == two.read_bytes()
    assert hostile in read(one)[1]
