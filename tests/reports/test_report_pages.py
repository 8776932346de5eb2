"""Whole reports of extreme sweeps, as a reader of the PDF finds them."""

from pathlib import Path

import pytest
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from saih.reports.claims_file import encode
from saih.reports.document import write
from saih.reports.trend_report import trend_claims
from tests.reports.drawn_sweeps import drawn

FRAME_WORDS = 16
"""Words of the head and the foot of a page."""
MOST_PAGES = 40


def fonts_of(page: DictionaryObject) -> list[DictionaryObject]:
    """The descriptors of the fonts of a page."""
    fonts = [item.get_object() for item in page["/Resources"].get("/Font", {}).values()]
    return [font["/DescendantFonts"][0].get_object()["/FontDescriptor"] for font in fonts]


def written(case: str, folder: Path) -> PdfReader:
    """The report of a case as the command writes it."""
    analysis, document = drawn(case)
    return PdfReader(write(document, folder / "report.pdf", encode(trend_claims(analysis, document))))


def checked_texts(reader: PdfReader) -> list[str]:
    """Every page says something, every font is embedded, every section is in the outline; gives the texts."""
    texts = [page.extract_text() for page in reader.pages]
    for page, text in zip(reader.pages, texts, strict=True):
        assert len(text.split()) > FRAME_WORDS, text
        descriptors = fonts_of(page)
        assert descriptors
        assert all("/FontFile2" in font or "/FontFile3" in font for font in descriptors)
    titles = [item.title for item in reader.outline if not isinstance(item, list)]
    assert titles[0] == "Summary"
    assert {"Maps over data and model", "Edge of what runs", "Where the limit changes"} < set(titles)
    second = next(item for item in reader.outline[1:] if not isinstance(item, list))
    assert reader.get_destination_page_number(second) in (0, 1)
    return texts


@pytest.mark.slow
@pytest.mark.parametrize("case", ["one point", "twelve points", "all failed", "edge", "markup"])
def test_no_page_is_empty_and_every_font_is_embedded(case: str, tmp_path: Path) -> None:
    checked_texts(written(case, tmp_path))


@pytest.mark.slow
def test_four_hundred_points_are_read_on_few_pages_after_a_summary_of_one(tmp_path: Path) -> None:
    analysis, _ = drawn("four hundred points")
    reader = written("four hundred points", tmp_path)
    texts = checked_texts(reader)
    assert len(texts) <= MOST_PAGES
    starts = [
        reader.get_destination_page_number(item) for item in reader.outline if not isinstance(item, list)
    ]
    assert starts[:2] == [0, 1]
    text = "".join(texts).replace("\u200b", "").replace("\n", "")
    assert all(point.record_id in text for point in analysis.points)
