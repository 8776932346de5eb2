from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.reports.document import Document, Picture
from saih.reports.figure import spread
from saih.reports.fitted import fitted, width_mm
from tests.reports.drawn_sweeps import CASES, drawn
from tests.reports.svg_texts import boxes_of, outside, overlapping

TOLERANCE = 0.6
"""Points by which letters may come closer than their boxes."""


def pictures(document: Document) -> list[Picture]:
    return [block for section in document.sections for block in section.blocks if isinstance(block, Picture)]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_no_text_of_any_figure_lies_over_another_or_leaves_it(case: str) -> None:
    _, document = drawn(case)
    made = pictures(document)
    assert 10 <= len(made) <= 24 if case == "four hundred points" else made
    for picture in made:
        assert overlapping(boxes_of(picture.svg), TOLERANCE) == [], picture.alt
        assert outside(picture.svg, TOLERANCE) == [], picture.alt
        assert picture.alt
        assert picture.caption


@given(st.text(max_size=60), st.floats(min_value=2, max_value=60), st.floats(min_value=4, max_value=12))
def test_a_fitted_text_has_the_room_that_it_was_given(text: str, room_mm: float, size: float) -> None:
    words = fitted(text, room_mm, size)
    assert width_mm(words, size) <= room_mm or words == "…"


def test_a_text_that_fits_stays_as_it_is() -> None:
    assert fitted("width 16", 40.0, 7.0) == "width 16"
    assert fitted("width 16, depth 1", 10.0, 7.0) == "width…"


def test_a_text_lies_over_another_only_where_both_are() -> None:
    style = "font-size: 10px; font-family: 'DejaVu Sans'; text-anchor: middle"
    texts = "".join(
        f'<text style="{style}" x="{x}" y="{y}">words</text>'
        for x, y in ((20, 20), (30, 24), (90, 20), (99, 60))
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 110 100">{texts}</svg>'
    assert overlapping(boxes_of(svg), TOLERANCE) == [("words", "words")]
    assert outside(svg, TOLERANCE) == ["words"]


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=18))
def test_labels_keep_their_order_and_distance_and_stay_inside(wanted: list[float]) -> None:
    placed = spread(wanted, 0.05, 0.0, 1.0)
    order = sorted(range(len(wanted)), key=lambda index: (wanted[index], index))
    heights = [placed[index] for index in order]
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in heights)
    assert all(after - before >= 0.05 - 1e-9 for before, after in pairwise(heights))


def test_labels_that_are_far_apart_stay_where_they_are() -> None:
    assert spread([0.9, 0.1, 0.5], 0.05, 0.0, 1.0) == [0.9, 0.1, 0.5]


def test_more_labels_than_fit_share_the_room_evenly() -> None:
    placed = spread([0.5] * 5, 0.5, 0.0, 1.0)
    assert placed == [0.0, 0.25, 0.5, 0.75, 1.0]
