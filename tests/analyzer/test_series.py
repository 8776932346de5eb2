"""Trends of foreign series: known laws are found, and what is wrong with readings is named and left out."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from saih.analyzer.series import trend_of
from saih.domain.interval import Interval
from saih.domain.series import Reading, Series, SeriesKind
from saih.domain.series_trend import SeriesTrend

SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


def readings(values: Sequence[Sequence[float]], sizes: Sequence[float] = SIZES) -> tuple[Reading, ...]:
    """Repeats at each size, as lines of a file."""
    flat = [
        (size, value) for size, repeats in zip(sizes, values, strict=True) for value in repeats
    ]  # fmt: skip
    return tuple(
        Reading(size=size, value=value, written=repr(value), place=f"line {number}")
        for number, (size, value) in enumerate(flat, start=2)
    )


def series(whole: Sequence[Reading], **changed: object) -> Series:
    told = {
        "name": "example", "source": "example.csv", "axis": "ranks", "size_label": "ranks",
        "kind": SeriesKind.STRONG, "unit": "s", "whole": tuple(whole), **changed,
    }  # fmt: skip
    return Series(**told)  # type: ignore[arg-type]  # each has the type of its field


def noisy(law: Callable[[float], float], sigma: float = 0.01, repeats: int = 3) -> list[list[float]]:
    generator = np.random.default_rng(7)
    return [
        [law(size) * math.exp(sigma * generator.standard_normal()) for _ in range(repeats)] for size in SIZES
    ]


def amdahl(ranks: float) -> float:
    return 1 + 40 / ranks


def check(trend: SeriesTrend, name: str) -> bool | None:
    return next(one.passed for one in trend.checks if one.name == name)


def said(trend: SeriesTrend) -> str:
    return " ".join(trend.findings)


def test_a_known_law_is_found_and_its_continuation_lies_in_the_band() -> None:
    trend = trend_of(series(readings(noisy(amdahl))))
    end = trend.curve[-1]
    assert (end.size, end.is_extrapolated) == (64.0, True)
    assert end.interval.low <= amdahl(64) <= end.interval.high
    assert abs(math.log(end.interval.value / amdahl(64))) < 0.1
    assert [point.num_runs for point in trend.points] == [3] * 6
    assert all(point.interval is not None for point in trend.points)
    assert trend.findings == ()
    assert check(trend, "largest point held out") is True
    assert check(trend, "foresees other regimes") is None
    assert [peer.name for peer in trend.peers] == ["power law", "last slope"]
    assert all(peer.size == end.size for peer in trend.peers)
    assert trend.chained_error is not None


def test_phases_have_laws_of_their_own_and_foresee_the_input_that_takes_over() -> None:
    parts = {"work": lambda p: 40 / p, "wait": lambda p: 0.02 * p}
    phases = {name: readings(noisy(law)) for name, law in parts.items()}
    whole = readings(noisy(lambda p: 40 / p + 0.02 * p))
    trend = trend_of(series(whole, phases=phases))
    assert [one.phase for one in trend.components] == ["work", "wait"]
    truth = 40 / 64 + 0.02 * 64
    end = trend.curve[-1].interval
    assert abs(math.log(end.value / truth)) < 0.1
    assert end.low <= truth <= end.high
    assert check(trend, "foresees other regimes") is True


def test_without_a_whole_it_is_the_sum_of_the_phases_and_says_so() -> None:
    phases = {"a": readings(noisy(amdahl)), "b": readings([[0.0]] + [[1.0]] * 5)}
    trend = trend_of(series((), phases=phases))
    assert trend.points[0].value == pytest.approx(amdahl(1), rel=0.05)
    assert trend.points[1].value == pytest.approx(amdahl(2) + 1, rel=0.05)
    assert "sum of its phases" in said(trend)


def test_one_point_has_no_law_and_two_share_plain_ones() -> None:
    one = trend_of(series(readings([[4.0, 4.1]], [8.0])))
    assert (one.fit, one.curve, one.components) == (None, (), ())
    assert check(one, "enough points") is False
    two = trend_of(series(readings([[4.0, 4.1], [2.2]], [8.0, 16.0])))
    assert two.fit is not None
    assert check(two, "enough points") is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (math.nan, "is no number"),
        (math.inf, "beyond all bounds"),
        (0.0, "nothing takes no time"),
        (-3.0, "clock runs backwards"),
    ],
)
def test_a_value_that_is_no_duration_takes_no_part_and_is_named_by_its_line(value: float, words: str) -> None:
    values = noisy(amdahl)
    clean = trend_of(series(readings(values)))
    spoiled = [list(group) for group in values]
    spoiled[2].append(value)
    trend = trend_of(series(readings(spoiled)))
    assert [point.value for point in trend.points] == [point.value for point in clean.points]
    assert words in said(trend)
    assert "line 11" in said(trend)
    assert all(math.isfinite(point.interval.high) for point in trend.curve)


def test_a_series_of_nothing_usable_says_so_and_has_no_law() -> None:
    trend = trend_of(series(readings([[math.nan], [-1.0], [0.0]], [1.0, 2.0, 4.0])))
    assert (trend.points, trend.fit, trend.curve) == ((), None, ())
    assert len(trend.findings) == 3
    assert check(trend, "enough points") is False


def test_copied_repeats_are_one_run() -> None:
    values = [[1.0123 * value] * 2 for value in map(amdahl, SIZES)]
    trend = trend_of(series(readings(values)))
    assert [point.num_runs for point in trend.points] == [1] * 6
    assert all(point.interval is None for point in trend.points)
    assert "6 values repeat another" in said(trend)
    assert "copies of one run" in said(trend)


def test_repeats_that_rounding_made_alike_stay_runs_of_their_own() -> None:
    values = [[round(value, 1), round(value, 1), round(value, 1) + 0.1] for value in map(amdahl, SIZES)]
    trend = trend_of(series(readings(values)))
    assert [point.num_runs for point in trend.points] == [3] * 6
    assert trend.points[0].value == pytest.approx(values[0][0])
    assert "rounded alike" in said(trend)


@pytest.mark.parametrize("factor", [1e3, 1e-3, 1e6])
@pytest.mark.parametrize("place", range(6))
def test_a_point_in_another_unit_is_named_and_left_out(factor: float, place: int) -> None:
    values = noisy(amdahl)
    values[place] = [factor * value for value in values[place]]
    trend = trend_of(series(readings(values)))
    assert [point.size for point in trend.points] == [size for size in SIZES if size != SIZES[place]]
    assert "one unit is told for another" in said(trend)
    assert f"line {2 + 3 * place}" in said(trend)


def test_one_repeat_in_another_unit_is_named_even_with_two_sizes() -> None:
    trend = trend_of(series(readings([[4.0, 4.1, 4100.0], [2.2, 2.1, 2.0]], [1.0, 2.0])))
    assert [point.num_runs for point in trend.points] == [2, 3]
    assert "10^3" in said(trend)


def test_where_half_of_the_points_are_in_another_unit_the_jump_is_named() -> None:
    values = [[amdahl(size) * (1e3 if size > 4 else 1)] for size in SIZES]
    trend = trend_of(series(readings(values)))
    assert check(trend, "one unit") is False
    assert len(trend.points) == 6


def test_a_law_that_grows_a_thousandfold_between_sizes_is_no_mistaken_unit() -> None:
    sizes = (10.0, 100.0, 1000.0, 10_000.0)
    cubes = readings([[size**3 * 1e-9] for size in sizes], sizes)
    trend = trend_of(series(cubes, kind=SeriesKind.SIZE))
    assert len(trend.points) == 4
    assert check(trend, "one unit") is True
    assert trend.findings == ()


def test_an_outlier_among_repeats_is_named_and_does_not_move_the_point() -> None:
    values = [[value * scale for scale in (1, 1.01, 0.99, 1.005, 0.995)] for value in map(amdahl, SIZES)]
    before = trend_of(series(readings(values))).points[3].value
    values[3][4] *= 20
    trend = trend_of(series(readings(values)))
    assert trend.points[3].value == pytest.approx(before, rel=0.02)
    assert "far from the other repeats" in said(trend)


def test_settings_that_change_along_a_series_fail_a_check_that_names_them() -> None:
    told = tuple(
        Reading(
            size=one.size, value=one.value, written=one.written, place=one.place,
            facts={"algorithm": "ring" if one.size < 8 else "tree", "nodes": "1"},
        )
        for one in readings(noisy(amdahl))
    )  # fmt: skip
    trend = trend_of(series(told))
    failed = next(one for one in trend.checks if one.name == "same setting at all points")
    assert failed.passed is False
    assert "algorithm (ring / tree)" in failed.statement
    assert "nodes" not in failed.statement


@pytest.mark.parametrize("kind", list(SeriesKind))
def test_what_is_faster_than_it_can_be_fails_its_check(kind: SeriesKind) -> None:
    values = [[100.0, 101.0], [100.0, 99.0], [3.0, 3.01], [2.9, 2.91]]
    trend = trend_of(series(readings(values, SIZES[:4]), kind=kind))
    name = {"strong": "speed-up at most ideal", "weak": "no faster than ideal", "size": "grows with size"}
    assert check(trend, name[kind]) is False


def test_a_total_whose_regime_changes_unseen_is_flagged_and_its_phases_are_not() -> None:
    """Input takes over at 44 ranks, beyond the 32 that were measured: no law of the total can know."""
    truth = noisy(lambda p: (0.9**8 + (40 / p) ** 8) ** (1 / 8), sigma=0.02)
    assert check(trend_of(series(readings(truth))), "foresees other regimes") is None


def test_names_and_units_in_any_script_change_nothing() -> None:
    whole = readings(noisy(amdahl))
    plain, other = (trend_of(series(whole, name=name)) for name in ("a", "مقياس 宇宙 \u202e🚀"))
    assert plain.curve == other.curve
    assert plain.checks == other.checks


def test_intervals_of_the_file_itself_count_where_there_are_no_repeats() -> None:
    told = tuple(
        Reading(
            size=size, value=amdahl(size), written="", place=f"line {size:g}",
            spread=Interval(
                low=0.9 * amdahl(size), value=amdahl(size), high=1.1 * amdahl(size), level=0.95, count=9
            ),
        )
        for size in SIZES
    )  # fmt: skip
    wide = trend_of(series(told))
    sure = trend_of(series(readings([[amdahl(size)] for size in SIZES])))
    assert wide.points[0].interval == told[0].spread
    assert wide.curve[-1].interval.relative_width > sure.curve[-1].interval.relative_width


@pytest.mark.parametrize(
    ("values", "sizes", "words"),
    [
        ((1e308, 1.2e308, 1.4e308, 1.6e308), (1, 2, 4, 8), "beyond all bounds (1e-25 to 1e+25)"),
        ((1e-320, 2e-320, 4e-320, 8e-320), (1, 2, 4, 8), "beyond all bounds"),
        ((1e-20, 1.0, 1e10, 1e20), (1, 2, 4, 8), "values differ by a factor of 1e+20"),
        ((1.0, 2.0, 3.0, 4.0), (1e-12, 1, 1e12, 1e24), "sizes differ by a factor of 1e+36"),
        ((1.0, 2.0, 3.0, 4.0), (1, 1.001, 1.002, 1.003), "The sizes lie within 0.3 %"),
        ((1.0, 1e5, 1.0, 4.0, 1.0), (1, 1 + 1e-9, 2, 4, 8), "no law is that steep"),
    ],
)
def test_what_no_law_can_join_gets_none_and_the_reason(
    values: Sequence[float], sizes: Sequence[float], words: str
) -> None:
    trend = trend_of(series(readings([[value] for value in values], sizes), kind=SeriesKind.SIZE))
    assert trend.fit is None
    assert trend.curve == ()
    assert words in said(trend)


def test_phases_that_take_no_time_at_all_have_no_law() -> None:
    nothing = readings([[0.0]] * len(SIZES))
    trend = trend_of(series((), phases={"a": nothing, "b": nothing}, kind=SeriesKind.SIZE))
    assert trend.fit is None
    assert "All phases take no time" in said(trend)


def test_many_mistaken_units_are_named_at_once() -> None:
    values = [
        [size * (1000 if repeat % 3 == 0 else 1) + repeat / 1e6 for repeat in range(3000)] for size in SIZES
    ]
    trend = trend_of(series(readings(values), kind=SeriesKind.SIZE))
    assert "6000 values take no part" in said(trend)
    assert [point.num_runs for point in trend.points] == [2000] * 6
