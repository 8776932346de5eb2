import base64
import hashlib
import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from saih.domain.errors import SaihError
from saih.domain.interval import Interval
from saih.domain.trend import Analysis
from saih.reports.document import (
    Bullets,
    Card,
    Cards,
    Column,
    Document,
    Heading,
    Paragraph,
    Picture,
    Section,
    Table,
)
from saih.reports.html_data import figures_json
from saih.reports.html_page import inert_json
from saih.reports.html_picture import inline_picture
from saih.reports.html_report import write_comparison_html, write_html
from saih.reports.trend_report import trend_document

AnalysisOf = Callable[..., Analysis]
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9">'
    '<defs><path id="m1" d="M 0.123456 1" style="stroke: #000000; stroke-width: 0.6"/></defs>'
    '<g id="unused"><use xlink:href="#m1" clip-path="url(#m1)"/></g><text>a &lt;b&gt;</text></svg>'
)


def page_of(analysis: Analysis, path: Path, claims: str = "{}") -> str:
    return write_html(analysis, trend_document(analysis), claims, path).read_text(encoding="utf-8")


def test_the_same_content_gives_the_same_bytes(analysis_of: AnalysisOf, tmp_path: Path) -> None:
    first = page_of(analysis_of(2, 2), tmp_path / "one.html")
    assert page_of(analysis_of(2, 2), tmp_path / "two.html") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.html", "two.html"]


def test_the_policy_allows_exactly_the_script_and_style_of_the_page(
    analysis_of: AnalysisOf, tmp_path: Path
) -> None:
    page = page_of(analysis_of(2, 1), tmp_path / "one.html")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    for name in ("script", "style"):
        source = re.search(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)
        assert source
        digest = base64.b64encode(hashlib.sha256(source[1].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'")
    assert not re.search(r'\sstyle="|\son\w+="|https?://(?!www\.w3\.org/2000/svg)', page)


def test_claims_are_carried_as_they_are_and_cannot_leave_their_element(
    analysis_of: AnalysisOf, tmp_path: Path
) -> None:
    claims = json.dumps({"text": "</script><b>&\u2028\u2029"}, ensure_ascii=False)
    page = page_of(analysis_of(1, 1), tmp_path / "one.html", claims)
    held = re.search(r'id="saih-claims">(.*?)</script>', page)
    assert held
    assert json.loads(held[1]) == json.loads(claims)
    assert not re.search("[<>&\u2028\u2029]", inert_json(claims))


def test_the_words_of_the_figures_are_those_of_the_tables(analysis_of: AnalysisOf, tmp_path: Path) -> None:
    analysis = analysis_of()
    page = html.unescape(page_of(analysis, tmp_path / "one.html"))
    for point in json.loads(figures_json(analysis))["points"]:
        assert f">{point['words']['step']}</td>" in page
        assert f">{point['words']['share']}</td>" in page


def test_figures_say_why_an_energy_is_absent_and_hold_no_number_for_it(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of(2, 1)
    points = tuple(replace(point, energy_reason="counters are for root only") for point in analysis.points)
    data = json.loads(figures_json(replace(analysis, points=points)))
    assert all("energy" not in point["values"] for point in data["points"])
    assert "energy" not in [one["name"] for one in data["quantities"]]
    assert data["points"][0]["words"]["energy"] == "absent: counters are for root only"


def test_lines_of_one_name_are_told_apart_by_their_setting(analysis_of: AnalysisOf) -> None:
    data = json.loads(figures_json(analysis_of(2, 2, (1, 2))))
    names = [line["name"] for line in data["lines"] if line["axis"] == "data"]
    assert len(names) == len(set(names)) == 4


def test_a_figure_keeps_its_shapes_and_gets_ids_of_its_own() -> None:
    inlined = inline_picture(SVG, "f1-", 'a "figure" <x>')
    assert 'id="f1-m1"' in inlined
    assert 'href="#f1-m1"' in inlined
    assert "url(#f1-m1)" in inlined
    assert 'stroke-width="0.6"' in inlined
    assert "style=" not in inlined
    assert "unused" not in inlined
    assert "a &lt;b&gt;" in inlined
    assert 'aria-label="a &quot;figure&quot; &lt;x&gt;"' in inlined


@pytest.mark.parametrize(
    "inside", ["<script>alert(1)</script>", "<foreignObject/>", "<animate/>", '<a href="http://x"/>']
)
def test_a_figure_with_anything_that_acts_is_refused(inside: str) -> None:
    with pytest.raises(ValueError, match="which no page shows"):
        inline_picture(SVG.replace("</svg>", f"{inside}</svg>"), "f1-", "")


def test_handlers_and_links_to_elsewhere_are_left_out_of_a_figure() -> None:
    svg = SVG.replace("<text>", '<image href="http://x/y.png" onload="alert(1)"/><text ONCLICK="x">')
    inlined = inline_picture(svg, "f1-", "")
    assert "http" not in inlined
    assert "alert" not in inlined
    assert "CLICK" not in inlined


def test_every_kind_of_block_of_any_document_becomes_html(tmp_path: Path) -> None:
    table = Table(
        columns=(Column(title="number & unit", side="right"),), rows=(("1 < 2",),), alt="A table", anchors=()
    )
    blocks = (
        Heading(text="Heading <i>"),
        Paragraph(text="words", tone="loud"),
        Bullets(items=("first",)),
        Cards(cards=(Card(label="label", value="value", note="note"),)),
        Picture(svg=SVG, alt="A figure", caption="Caption"),
        table,
    )
    sections = (Section(title="Same", blocks=blocks), Section(title="Same", blocks=()))
    document = Document(title="A against B", subtitle="", description="", sections=sections)
    page = write_comparison_html(document, "{}", tmp_path / "new" / "comparison.html").read_text()
    for part in (
        '<h1 dir="auto">A against B</h1>',
        "Heading &lt;i&gt;</h3>",
        '<p class="loud"',
        '<li dir="auto">first</li>',
        "<dt>label</dt>",
        "<figcaption",
        "<caption>A table</caption>",
        '<th scope="col" class="num">number &amp; unit</th>',
        '<td class="num" dir="auto">1 &lt; 2</td>',
        'id="to-same"',
        'id="to-same-at-1"',
        "script-src 'none'",
    ):
        assert part in page


def test_numbers_too_large_to_draw_stay_json(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of(1, 1, edge_fails=False)
    vast = Interval(low=0.0, value=1e300, high=1e300, level=0.95, count=1)
    points = (replace(analysis.points[0], samples_per_s=vast),)
    assert (
        json.loads(figures_json(replace(analysis, points=points)))["points"][0]["values"]["samples"][1]
        == 1e300
    )


def test_a_page_that_cannot_be_written_is_told_with_a_remedy(analysis_of: AnalysisOf, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SaihError, match="cannot be written"):
        page_of(analysis_of(1, 1), tmp_path / "file" / "trend.html")
