import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from saih.domain.errors import SaihError
from saih.domain.trend import Analysis, LossCheck
from saih.reports.trend_report import write_report

AnalysisOf = Callable[..., Analysis]
TITLES = (
    "Summary",
    "How performance moves as the problem grows",
    "Where the limit changes",
    "What takes over, and how sure the laws are",
    "Maps over data and model",
    "Edge of what runs",
    "Where the time goes",
    "Roofline and ceilings",
    "All measured points",
    "Environment, method, definitions",
    "Evidence",
)
HOSTILE = '#read("/etc/passwd") $\\frac{1}{2}$ </script> [/x] \x1b[31m*b* _i_ `c` @a <b>'


def read(path: Path) -> tuple[PdfReader, str]:
    reader = PdfReader(path)
    pages = "\n".join(page.extract_text() for page in reader.pages)
    return reader, re.sub(r"\s+", " ", pages.replace("\u200b", ""))


@pytest.fixture(scope="module")
def usual(analysis_of: AnalysisOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of 12 measured, 2 failed and 1 dropped point."""
    return write_report(analysis_of(), tmp_path_factory.mktemp("usual") / "new" / "trend.pdf")


def test_the_report_has_the_promised_sections_as_bookmarks_and_the_numbers_as_text(
    analysis_of: AnalysisOf, usual: Path
) -> None:
    analysis = analysis_of()
    reader, text = read(usual)
    bookmarks = [item.title for item in reader.outline if not isinstance(item, list)]
    assert tuple(title for title in bookmarks if title != "Energy") == TITLES
    assert bookmarks[7] == "Energy"
    assert 7 <= len(reader.pages) <= 12
    shares = [point.share_of_peak.value for point in analysis.points if point.share_of_peak]
    assert f"{100 * min(shares):.2g} % → {100 * max(shares):.2g} %" in text
    assert "page 1 of" in text
    assert "needs 61 GB of memory per rank" in text
    assert "a multiply-add counts as 2" in text
    assert "matrix product 184 GFLOP/s" in text
    assert not re.search(r"\b(nan|NaN|inf|None)\b", text)


def test_the_pdf_is_tagged_titled_without_date_and_embeds_its_fonts(usual: Path) -> None:
    reader, _ = read(usual)
    assert reader.metadata is not None
    assert reader.metadata.title == "AI performance trend: cosmoflow-small"
    assert "/CreationDate" not in reader.metadata
    assert bool(reader.trailer["/Root"]["/MarkInfo"]["/Marked"].value)
    descriptors = [
        font["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        for page in reader.pages
        for font in (item.get_object() for item in page["/Resources"]["/Font"].values())
    ]
    assert descriptors
    assert all("/FontFile2" in font or "/FontFile3" in font for font in descriptors)


def test_the_same_analysis_gives_the_same_bytes_and_leaves_nothing_else(
    analysis_of: AnalysisOf, usual: Path, tmp_path: Path
) -> None:
    again = write_report(analysis_of(), tmp_path / "again.pdf")
    assert again.read_bytes() == usual.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.pdf"]


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"num_data": 0, "num_model": 0, "edge_fails": False}, "No point was measured"),
        ({"num_data": 1, "num_model": 1, "edge_fails": False}, "The only measured point"),
        ({"num_data": 3, "num_model": 1}, "Over the data axis"),
        ({"num_data": 1, "num_model": 3, "edge_fails": False}, "Over the model axis"),
        ({"all_fail": True}, "12 out of memory"),
        ({"with_ceilings": False}, "No ceiling was measured, so there is no roofline"),
        ({"num_data": 3, "num_model": 2, "ranks": (1, 2)}, "1 node x 1 rank x 1 thread (cpu)"),
    ],
)
def test_every_shape_of_analysis_gives_a_report_that_says_what_is_missing(
    analysis_of: AnalysisOf, tmp_path: Path, shape: dict[str, object], words: str
) -> None:
    reader, text = read(write_report(analysis_of(**shape), tmp_path / "trend.pdf"))
    assert words in text
    assert all(title in text for title in TITLES)
    assert len(reader.pages) >= 2
    assert not re.search(r"\b(nan|NaN|inf|None)\b", text)


@pytest.mark.slow
def test_forty_eight_points_are_all_in_the_table(analysis_of: AnalysisOf, tmp_path: Path) -> None:
    analysis = analysis_of(8, 6, edge_fails=False)
    _, text = read(write_report(analysis, tmp_path / "trend.pdf"))
    assert len(analysis.points) == 48
    assert all(point.record_id in text for point in analysis.points)


def test_names_full_of_markup_stay_text_and_read_no_file(analysis_of: AnalysisOf, tmp_path: Path) -> None:
    analysis = analysis_of(3, 2, name=HOSTILE, suffix=f" {HOSTILE}")
    reader, text = read(write_report(analysis, tmp_path / "trend.pdf"))
    assert '#read("/etc/passwd") $\\frac{1}{2}$ </script> [/x]' in text
    assert "root:" not in text
    assert "\x1b" not in text
    assert reader.metadata is not None
    assert "*b* _i_ `c` @a <b>" in str(reader.metadata.title)


def test_names_of_eighty_characters_without_a_space_fit(analysis_of: AnalysisOf, tmp_path: Path) -> None:
    name = "abcdefghij" * 8
    _, text = read(write_report(analysis_of(3, 2, name=name, suffix=name), tmp_path / "trend.pdf"))
    assert name in text.replace(" ", "")


@pytest.mark.parametrize("name", ["宇宙論模擬", "قياس الأداء", "космос Ω ≤ 2", "🚀 rocket", "\ud800broken"])
def test_names_of_any_script_give_a_report(analysis_of: AnalysisOf, tmp_path: Path, name: str) -> None:
    reader, _ = read(write_report(analysis_of(3, 1, name=name, suffix=name), tmp_path / "trend.pdf"))
    assert len(reader.pages) >= 2


def test_a_folder_that_cannot_be_written_is_told_with_a_remedy(
    analysis_of: AnalysisOf, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SaihError, match="cannot be written"):
        write_report(analysis_of(1, 1), tmp_path / "file" / "trend.pdf")


def test_a_report_that_cannot_take_its_place_leaves_nothing_behind(
    analysis_of: AnalysisOf, tmp_path: Path
) -> None:
    path = tmp_path / "trend.pdf"
    path.mkdir()
    with pytest.raises(SaihError, match="cannot be written"):
        write_report(analysis_of(1, 1), path)
    assert list(tmp_path.rglob("*")) == [path]


def test_a_loss_that_is_not_finite_is_said_in_words(analysis_of: AnalysisOf, tmp_path: Path) -> None:
    analysis = analysis_of(2, 1, edge_fails=False)
    lost = LossCheck(first=0.3, last=float("nan"), is_learning=False, statement="the loss is not finite")
    points = tuple(replace(point, loss=lost) for point in analysis.points)
    _, text = read(write_report(replace(analysis, points=points), tmp_path / "trend.pdf"))
    assert "NOT FINITE" in text
    assert "the loss is not finite" in text
    assert "nan" not in text
