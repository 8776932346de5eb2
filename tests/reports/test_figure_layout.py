from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from saih.reports.figure import spread


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
