"""Laws of intervals, and the coverage that the interval of a median promises."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saih.domain.interval import Interval, median, median_interval

finite = st.floats(min_value=1e-6, max_value=1e9)


@given(st.lists(finite, min_size=1, max_size=60))
def test_a_median_lies_inside_its_interval(values: list[float]) -> None:
    interval = median_interval(values)
    assert interval.low <= interval.value <= interval.high
    assert interval.value == median(values)
    assert interval.count == len(values)


@pytest.mark.parametrize("count", [6, 10, 25, 60, 300])
def test_the_interval_of_a_median_covers_the_truth_as_often_as_it_says(count: int) -> None:
    generator = random.Random(count)
    draws = 2000
    hits = 0
    for _ in range(draws):
        interval = median_interval([generator.lognormvariate(0, 0.3) for _ in range(count)])
        hits += interval.low <= 1.0 <= interval.high
    assert hits / draws >= 0.94


def test_too_few_values_give_the_whole_range() -> None:
    interval = median_interval([3.0, 1.0, 2.0])
    assert (interval.low, interval.value, interval.high) == (1.0, 2.0, 3.0)


def test_the_interval_narrows_steadily_where_the_exact_sum_ends() -> None:
    widths = [median_interval([float(value) for value in range(count)]) for count in range(190, 215)]
    shares = [(width.high - width.low) / width.count for width in widths]
    assert max(shares) - min(shares) < 0.02


def test_thousands_of_values_have_an_interval() -> None:
    interval = median_interval([float(value) for value in range(5001)])
    assert (interval.low, interval.value, interval.high) == (2430.0, 2500.0, 2570.0)


def test_many_values_give_a_narrow_interval() -> None:
    generator = random.Random(1)
    assert median_interval([generator.gauss(1, 0.01) for _ in range(1000)]).relative_width < 0.003


@pytest.mark.parametrize("values", [[], [float("nan")], [1.0, float("inf")]])
def test_nothing_and_not_a_number_have_no_median(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one value"):
        median_interval(values)


@pytest.mark.parametrize(
    ("low", "value", "high", "level", "count"),
    [
        (2.0, 1.0, 3.0, 0.9, 5),
        (0.0, float("nan"), 1.0, 0.9, 5),
        (0.0, 0.5, float("inf"), 0.9, 5),
        (0.0, 0.5, 1.0, 1.0, 5),
        (0.0, 0.5, 1.0, 0.9, 0),
    ],
)
def test_impossible_intervals_are_refused(
    low: float, value: float, high: float, level: float, count: int
) -> None:
    with pytest.raises(ValueError, match="interval"):
        Interval(low=low, value=value, high=high, level=level, count=count)


@given(finite, finite)
def test_inverting_twice_gives_the_interval_back(value: float, width: float) -> None:
    interval = Interval(low=value, value=value + width, high=value + 2 * width, level=0.95, count=9)
    again = interval.inverted().inverted()
    assert again.low == pytest.approx(interval.low)
    assert again.value == pytest.approx(interval.value)
    assert again.high == pytest.approx(interval.high)


def test_scaling_keeps_order_level_and_count() -> None:
    interval = Interval(low=1, value=2, high=4, level=0.9, count=7).scaled(1e-9)
    assert (interval.low, interval.value, interval.high) == (1e-9, 2e-9, 4e-9)
    assert (interval.level, interval.count) == (0.9, 7)
    assert interval.relative_width == pytest.approx(1.5)


def test_a_negative_scale_or_an_inverse_of_zero_is_refused() -> None:
    interval = Interval(low=0, value=2, high=4, level=0.9, count=7)
    with pytest.raises(ValueError, match="negative"):
        interval.scaled(-1)
    with pytest.raises(ValueError, match="positive"):
        interval.inverted()
    assert Interval(low=0, value=0, high=0, level=0.9, count=1).relative_width == float("inf")
