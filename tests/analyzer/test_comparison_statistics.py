"""Laws over seeds: see benchmarks/comparison.py for the full table."""

import numpy as np
import pytest

from benchmarks.comparison_systems import CROSSING, alike, crossing_systems
from saih.analyzer.comparison import compare
from saih.analyzer.comparison_decision import holm


def calls_any_difference(comparison):
    (pair,) = comparison.pairs
    return (
        any(match.is_different for match in pair.matched)
        or any(view.is_different for view in pair.views)
        or any(curve.crossings for curve in pair.curves)
        or any(curve.exponents is not None and curve.exponents.is_different for curve in pair.curves)
    )


@pytest.mark.slow
def test_two_copies_of_a_noisy_system_are_seldom_told_apart():
    called = [
        calls_any_difference(compare(alike(np.random.default_rng(seed), 0.05, 0.0))) for seed in range(60)
    ]
    assert np.mean(called) <= 0.05


@pytest.mark.slow
def test_the_crossing_lies_in_its_interval():
    inside = []
    for seed in range(60):
        (pair,) = compare(crossing_systems(np.random.default_rng(seed), 0.02, 0.0)).pairs
        (curve,) = [curve for curve in pair.curves if curve.axis == "data"]
        inside += [one.size.low <= CROSSING <= one.size.high for one in curve.crossings]
        assert all((one.faster_below, one.faster_above) == ("B", "A") for one in curve.crossings)
    assert len(inside) >= 57
    assert np.mean(inside) >= 0.9


def test_growth_that_differs_is_called_different():
    (pair,) = compare(crossing_systems(np.random.default_rng(7), 0.02, 0.0)).pairs
    (exponents,) = [curve.exponents for curve in pair.curves]
    assert exponents.is_different
    assert exponents.difference.value == pytest.approx(0.19, abs=0.03)


def test_holm_keeps_order_and_never_lowers():
    found = holm([0.01, 0.04, 0.03, 0.5])
    assert found == pytest.approx((0.04, 0.09, 0.09, 0.5))
    assert holm([]) == ()
