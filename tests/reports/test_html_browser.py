import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_fixture import Visit, visiting
from playwright.sync_api import Browser, Locator

from saih.domain.quantity import share
from saih.domain.trend import Analysis
from saih.reports.html_report import write_html
from saih.reports.trend_report import trend_document

AnalysisOf = Callable[..., Analysis]
pytestmark = pytest.mark.slow
MARKS = "#explore-trend .point"
HOSTILE = {
    "script": "</script><img src=x onerror=alert(1)><script>alert(2)</script>",
    "attribute": '" onmouseover="alert(3)" x=\'',
    "latex": r"$\frac{1}{2}$ \input{/etc/passwd} & % #",
    "arabic": "قياس أداء الحاسوب",
    "chinese": "宇宙論模擬的性能趨勢",
    "eighty": "abcdefghij" * 8,
    "huge": "name " * 2048,
}


def written(analysis: Analysis, path: Path) -> Path:
    return write_html(analysis, trend_document(analysis), '{"schema":1,"claims":[]}', path)


@pytest.fixture(scope="module")
def usual(analysis_of: AnalysisOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 measured, 2 failed and 1 dropped point."""
    return written(analysis_of(), tmp_path_factory.mktemp("usual") / "usual.html")


@pytest.fixture
def visit(chromium: Browser, usual: Path) -> Iterator[Visit]:
    """The usual report, which must complain of nothing and ask for nothing, whatever a test does to it."""
    with visiting(chromium, usual) as visit:
        yield visit
        assert visit.complaints == []
        assert visit.requests == [usual.as_uri()]


def places(visit: Visit) -> list[list[float]]:
    return visit.numbers(f"[...document.querySelectorAll('{MARKS}')].map(m => [+m.dataset.x, +m.dataset.y])")


def ticks(visit: Visit) -> list[str]:
    return visit.page.locator("#explore-trend .axes text").all_text_contents()


def tip_of(visit: Visit) -> Locator:
    return visit.page.locator("#tip")


def test_the_report_opens_from_a_file_with_every_section_and_an_outline_that_leads_there(
    visit: Visit,
) -> None:
    titles = visit.page.locator("main h2").all_text_contents()
    assert titles[:3] == ["Summary", "Explore", "How performance moves as the problem grows"]
    broken = (
        "[...document.querySelectorAll('nav a, sup a')].filter(a => !document.querySelector(a.hash)).length"
    )
    assert visit.numbers(broken) == 0
    ids = visit.numbers("[...document.querySelectorAll('[id]')].map(element => element.id)")
    assert len(ids) == len(set(ids))
    assert visit.numbers("JSON.parse(document.getElementById('saih-claims').textContent).schema") == 1
    unnamed = (
        "[...document.querySelectorAll('svg[role=img]')].filter(s => !s.getAttribute('aria-label')).length"
    )
    assert visit.numbers(unnamed) == 0


def test_the_map_the_trends_and_the_stacks_show_every_measured_point(
    visit: Visit, analysis_of: AnalysisOf
) -> None:
    records = {point.record_id for point in analysis_of().points}
    for figure in ("#explore-trend .point", "#explore-map .cell", "#explore-stack .row"):
        found = visit.numbers(f"[...document.querySelectorAll('{figure}')].map(m => m.dataset.record)")
        assert set(found) - {None} == records, figure
    assert visit.page.locator("#explore-map .failed").count() == 2
    assert visit.page.locator("#explore-map .dropped").count() == 1
    assert visit.page.locator("#explore-table tbody tr").count() == 15


def test_hovering_over_a_mark_shows_its_record_interval_count_and_verdict(
    visit: Visit, analysis_of: AnalysisOf
) -> None:
    point = analysis_of().points[5]
    for figure in ("#explore-trend", "#explore-map", "#explore-stack"):
        mark = visit.page.locator(f'{figure} [data-record="{point.record_id}"]')
        mark.scroll_into_view_if_needed()
        mark.hover()
        assert tip_of(visit).is_visible()
        assert point.record_id in tip_of(visit).inner_text()
    visit.page.locator(f'#explore-map [data-record="{point.record_id}"]').hover()
    words = tip_of(visit).inner_text()
    assert point.share_of_peak is not None
    assert f"share of measured peak\n{share(point.share_of_peak)}" in words
    assert re.search(r"steps\n24, 95\u00a0% intervals", words)
    assert re.search(r"held back by\ncompute", words)
    visit.page.mouse.move(1, 1)
    assert not tip_of(visit).is_visible()


def test_the_keyboard_reaches_every_mark_and_enter_leads_to_its_row(
    visit: Visit, analysis_of: AnalysisOf
) -> None:
    page = visit.page
    page.locator("#explore-trend .plot").scroll_into_view_if_needed()
    page.locator("#explore-trend .buttons button").last.focus()
    page.keyboard.press("Tab")
    seen = []
    for _ in range(12):
        assert tip_of(visit).is_visible()
        seen.append(visit.numbers("document.activeElement.dataset.record"))
        assert seen[-1] in tip_of(visit).inner_text()
        page.keyboard.press("ArrowRight")
    assert set(seen) == {point.record_id for point in analysis_of().points}
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert visit.numbers("document.activeElement.tagName") == "TR"
    assert visit.numbers("document.activeElement.className") == "chosen"


def test_choosing_axis_quantity_and_setting_changes_what_is_plotted(visit: Visit) -> None:
    page = visit.page
    over_data, words = places(visit), ticks(visit)
    page.locator("select[name=axis]").select_option("model")
    assert places(visit) != over_data
    assert "parameters" in ticks(visit)
    assert "voxels per sample" in words
    page.locator("select[name=axis]").select_option("data")
    assert places(visit) == over_data
    page.locator("select[name=quantity]").select_option("step")
    assert places(visit) != over_data
    assert any(tick.endswith("\u00a0ms") for tick in ticks(visit))
    page.locator("#explore-trend select[name=hold-model]").select_option("width 16")
    assert len(places(visit)) == 4
    page.locator("select[name=y-scale]").select_option("linear")
    assert any(tick.startswith("0") for tick in ticks(visit))
    page.locator("select[name=hold-model]").first.select_option("")
    page.locator("#explore-trend .legend input").first.uncheck()
    assert len(places(visit)) == 8


def test_extrapolated_parts_are_dashed_shaded_and_named(visit: Visit) -> None:
    assert visit.page.locator("#explore-trend .dashed").count() == 3
    assert visit.page.locator("#explore-trend .beyond").count() == 1
    assert "extrapolated" in visit.page.locator("#explore-trend .hint").text_content()


def test_wheel_drag_and_buttons_zoom_and_reset_shows_everything_again(visit: Visit) -> None:
    page = visit.page
    plot = page.locator("#explore-trend .plot svg")
    plot.scroll_into_view_if_needed()
    before, words = places(visit), ticks(visit)
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"document.querySelectorAll('{MARKS}').length < 12")
    assert ticks(visit) != words
    page.get_by_role("button", name="Reset").click()
    assert places(visit) == before
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 250, steps=5)
    page.mouse.up()
    assert 0 < len(places(visit)) < 12
    page.get_by_title("Show everything again").click()
    page.get_by_title("Zoom in").click()
    assert ticks(visit) != words
    page.get_by_title("Zoom out").click()
    assert ticks(visit) == words


def test_a_chosen_mark_leads_to_its_row_even_where_a_filter_hid_it(
    visit: Visit, analysis_of: AnalysisOf
) -> None:
    point = analysis_of().points[7]
    visit.page.locator("input[name=filter]").fill("width 8")
    assert visit.page.locator("#explore-table tbody tr").count() == 5
    visit.page.locator(f'#explore-map [data-record="{point.record_id}"]').click()
    assert visit.page.locator("tr.chosen").get_attribute("data-record") == point.record_id
    assert visit.page.locator("tr.chosen").is_visible()


def test_columns_sort_by_number_up_and_down_with_what_is_missing_last(
    visit: Visit, analysis_of: AnalysisOf
) -> None:
    points = [point for point in analysis_of().points if point.share_of_peak is not None]
    growing = [point.record_id for point in sorted(points, key=lambda one: one.step_ns.value)]
    button = visit.page.locator("#explore-table thead button", has_text="median step")
    records = "[...document.querySelectorAll('#explore-table tbody tr')].map(r => r.dataset.record)"
    button.click()
    assert visit.numbers(records) == [*growing, "", "", ""]
    button.click()
    assert visit.numbers(records) == [*reversed(growing), "", "", ""]
    assert visit.page.locator("th[aria-sort=descending]").count() == 1


def test_without_scripts_every_number_is_there_and_no_empty_figure(chromium: Browser, usual: Path) -> None:
    with visiting(chromium, usual, java_script_enabled=False) as visit:
        assert visit.page.locator("#explore").is_hidden()
        assert visit.page.locator("figure svg").count() >= 6
        assert visit.page.locator("caption", has_text="Measured points").count() == 1
        assert visit.requests == [usual.as_uri()]


def test_four_hundred_points_stay_below_5_mb_and_paint_soon(
    chromium: Browser, analysis_of: AnalysisOf, tmp_path: Path
) -> None:
    path = written(analysis_of(20, 20, edge_fails=False), tmp_path / "many.html")
    assert path.stat().st_size < 5e6
    with visiting(chromium, path) as visit:
        visit.page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        paint_ms = visit.numbers("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        print(f"400 points: {path.stat().st_size / 1e6:.2f} MB, first contentful paint {paint_ms:.0f} ms")  # noqa: T201 - wanted
        assert paint_ms < 5000
        assert visit.page.locator(MARKS).count() == 400
        assert visit.page.locator("#explore-table tbody tr").count() == 400
        assert visit.complaints == []


@pytest.mark.parametrize("kind", sorted(HOSTILE))
def test_hostile_names_are_shown_and_do_nothing(
    chromium: Browser, analysis_of: AnalysisOf, tmp_path: Path, kind: str
) -> None:
    name = HOSTILE[kind]
    path = written(analysis_of(3, 2, name=name, suffix=f" {name}"), tmp_path / "hostile.html")
    with visiting(chromium, path) as visit:
        visit.page.locator(MARKS).first.hover()
        assert name.split()[0][:40] in tip_of(visit).inner_text()
        assert name.split()[0][:40] in visit.page.locator("h1").inner_text()
        assert visit.page.locator("img, iframe, object, embed, [onerror], [onmouseover]").count() == 0
        assert visit.page.locator("script:not([type])").count() == 1
        assert visit.complaints == []
        assert visit.requests == [path.as_uri()]
        assert visit.numbers("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(
    ("shape", "marks"),
    [
        ({"num_data": 1, "num_model": 1, "edge_fails": False}, 1),
        ({"num_data": 3, "num_model": 1, "edge_fails": False}, 3),
        ({"with_ceilings": False}, 12),
        ({"num_data": 2, "num_model": 2, "ranks": (1, 2), "edge_fails": False}, 8),
        ({"all_fail": True}, 0),
        ({"num_data": 0, "num_model": 0, "edge_fails": False}, 0),
    ],
)
def test_every_shape_of_analysis_gives_a_page_without_an_empty_figure(
    chromium: Browser, analysis_of: AnalysisOf, tmp_path: Path, shape: dict[str, Any], marks: int
) -> None:
    path = written(analysis_of(**shape), tmp_path / "shape.html")
    with visiting(chromium, path, viewport={"width": 400, "height": 800}) as visit:
        assert visit.page.locator(MARKS).count() == marks
        if not marks:
            assert "No point was measured" in visit.page.locator("#explore-trend").inner_text()
        assert visit.numbers("document.documentElement.scrollWidth <= innerWidth")
        assert not re.search(r"\b(NaN|undefined|Infinity|null)\b", visit.page.locator("body").inner_text())
        assert visit.complaints == []


def test_ranks_are_an_axis_of_the_explorer(
    chromium: Browser, scaling_of: Callable[..., Analysis], tmp_path: Path
) -> None:
    path = written(scaling_of(), tmp_path / "ranks.html")
    with visiting(chromium, path) as visit:
        visit.page.locator("select[name=axis]").select_option("ranks")
        assert visit.page.locator(MARKS).count() == 8
        assert "ranks" in ticks(visit)
        assert visit.complaints == []
