"""Whole reports of extreme sweeps, as a reader of the PDF finds them."""

from pathlib import Path

import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from benchmarks.synthetic_sweep import Size, synthetic_analysis
from saih.reports.trend_report import write_report
from tests.reports.test_figure_layout import CASES

FRAME_WORDS = 16
"""Words of the head and the foot of a page."""
MOST_PAGES = 40


def fonts_of(page: DictionaryObject) -> list[DictionaryObject]:
    """The descriptors of the fonts of a page."""
    fonts = [item.get_object() for item in page["/Resources"].get("/Font", {}).values()]
    return [font["/DescendantFonts"][0].get_object()["/FontDescriptor"] for font in fonts]


def check_pages(path: Path) -> int:
    """Every page says something, every font is embedded, every section is in the outline; gives the pages."""
    reader = PdfReader(path)
    for page in reader.pages:
        assert len(page.extract_text().split()) > FRAME_WORDS, page.extract_text()
        descriptors = fonts_of(page)
        assert descriptors
        assert all("/FontFile2" in font or "/FontFile3" in font for font in descriptors)
    titles = [item.title for item in reader.outline if not isinstance(item, list)]
    assert titles[0] == "Summary"
    assert {"Maps over data and model", "Edge of what runs", "Where the limit changes"} < set(titles)
    second = next(item for item in reader.outline[1:] if not isinstance(item, list))
    assert reader.get_destination_page_number(second) in (0, 1)
    return len(reader.pages)


@pytest.mark.slow
@pytest.mark.parametrize("case", ["one point", "twelve points", "all failed", "edge", "markup"])
def test_no_page_is_empty_and_every_font_is_embedded(case: str, tmp_path: Path) -> None:
    check_pages(write_report(CASES[case](), tmp_path / "report.pdf"))


@pytest.mark.slow
def test_four_hundred_points_are_read_on_few_pages_after_a_summary_of_one(tmp_path: Path) -> None:
    analysis = synthetic_analysis(Size(data=8, model=10, ranks=5))
    path = write_report(analysis, tmp_path / "report.pdf")
    assert check_pages(path) <= MOST_PAGES
    reader = PdfReader(path)
    starts = [
        reader.get_destination_page_number(item) for item in reader.outline if not isinstance(item, list)
    ]
    assert starts[:2] == [0, 1]
    text = "".join(page.extract_text() for page in reader.pages).replace("\u200b", "").replace("\n", "")
    assert all(point.record_id in text for point in analysis.points)
