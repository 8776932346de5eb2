import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from augment.iso import IsoWalk, nearest
from augment.model import MOST_WIDTH, WIDTHS
from augment.problem import ProblemError, Shape

CHOICES = st.lists(st.integers(1, 10**6), min_size=1, max_size=30, unique=True).map(sorted)


@given(CHOICES, st.floats(0.1, 1e12), st.floats(0.5, 3))
def test_no_choice_is_nearer_than_the_one_that_is_found(
    choices: list[int], target: float, power: float
) -> None:
    found = nearest(target, lambda size: float(size) ** power, choices)
    distances = [abs(math.log(float(size) ** power / target)) for size in choices]
    assert abs(math.log(found.quantity / target)) <= min(distances) * (1 + 1e-9)
    assert found.size in choices
    assert math.isclose(found.quantity, target * (1 + found.deviation), rel_tol=1e-9, abs_tol=1e-9 * target)


def test_few_of_many_choices_are_asked_for() -> None:
    asked: list[int] = []

    def quantity(size: int) -> float:
        asked.append(size)
        return 3.0 * size

    assert nearest(3e9, quantity, range(1, 10**12 + 1)).size == 10**9
    assert len(asked) < 60


@pytest.mark.parametrize(("target", "choices"), [(1.0, []), (0.0, [1]), (math.nan, [1])])
def test_nothing_is_found_for_nothing(target: float, choices: list[int]) -> None:
    with pytest.raises(ProblemError, match="can be held"):
        nearest(target, float, choices)


@given(st.floats(8, MOST_WIDTH))
def test_some_width_is_within_a_sixteenth_of_any_that_is_wanted(width: float) -> None:
    found = nearest(width, float, WIDTHS)
    assert abs(found.deviation) <= 1 / 16


def test_widths_from_64_on_fill_blocks_of_8() -> None:
    assert all(width % 8 == 0 for width in WIDTHS if width >= 64)
    assert list(WIDTHS) == sorted(set(WIDTHS))


@pytest.mark.parametrize(
    ("rungs", "tolerance", "fault"),
    [
        ((), 0.1, "needs stations"),
        ((Shape.of(width=8),), 0.1, "other sizes than it"),
        ((Shape.of(depth=1),), 0.0, "give a share such as 0.1"),
    ],
)
def test_a_walk_that_goes_nowhere_is_refused(rungs: tuple[Shape, ...], tolerance: float, fault: str) -> None:
    with pytest.raises(ProblemError, match=fault):
        IsoWalk(hold="flops", rungs=rungs, free="width", tolerance=tolerance)
