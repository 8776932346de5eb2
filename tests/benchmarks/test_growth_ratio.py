"""Ratios of mean errors over paired universes."""

import numpy as np
import pytest

from benchmarks.growth_ratio import ratio_of_means

ERRORS_U = np.random.default_rng(1).uniform(0, 1, 400)


def test_the_interval_of_a_constant_factor_is_a_point() -> None:
    """Universes are paired: how hard each is, is in both means."""
    found = ratio_of_means(0.9 * ERRORS_U[None], ERRORS_U)
    assert found.ratio == pytest.approx(0.9)
    assert found.interval == pytest.approx((0.9, 0.9))


def test_seeds_that_differ_widen_the_interval() -> None:
    found = ratio_of_means(np.stack([0.8 * ERRORS_U, 1.0 * ERRORS_U]), ERRORS_U)
    assert found.by_seed == pytest.approx((0.8, 1.0))
    assert found.ratio == pytest.approx(0.9)
    assert found.interval == pytest.approx((0.8, 1.0))


def test_unrelated_errors_leave_an_interval_around_one() -> None:
    others = np.random.default_rng(2).uniform(0, 1, (1, 400))
    found = ratio_of_means(others, ERRORS_U)
    low, high = found.interval
    assert low < found.ratio < high
    assert high - low > 0.05
