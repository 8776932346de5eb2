import numpy as np
import pytest

from saih.analyzer.knee import find_knee


def hinge(x, change):
    return 0.2 * x + change * np.maximum(x - 4, 0)


@pytest.mark.parametrize("num_sizes", [8, 10, 14])
def test_straight_series_are_seldom_bent_and_bent_ones_are_found(num_sizes):
    generator = np.random.default_rng(11)
    x = np.linspace(0, 8, num_sizes)
    for sigma in (0.03, 0.1):
        found = {
            change: [
                find_knee(x, hinge(x, change) + sigma * generator.standard_normal(num_sizes), sigma).knee
                for _ in range(60)
            ]
            for change in (0.0, 0.8)
        }
        assert np.mean([knee is not None for knee in found[0.0]]) <= 0.05
        placed = [knee for knee in found[0.8] if knee is not None]
        assert len(placed) >= (0.84 * 60 if sigma < 0.1 or num_sizes == 14 else 0.45 * 60)
        assert np.mean([knee.size.low <= 4 <= knee.size.high for knee in placed]) >= 0.75


def test_smooth_growth_over_many_octaves_is_no_knee():
    generator = np.random.default_rng(12)
    x = np.exp2(np.arange(9.0))
    laws = (lambda x: 2 + 0.5 * x, lambda x: 1 + 40 / x, lambda x: 1 + 0.3 * x * np.log2(x + 1))
    claims = [
        find_knee(x, law(x) * np.exp(0.02 * generator.standard_normal(9)), 0.02).knee is not None
        for law in laws
        for _ in range(40)
    ]
    assert np.mean(claims) <= 0.05


def test_a_slope_that_trebles_is_found_with_both_slopes():
    x = np.linspace(1, 40, 12)
    knee = find_knee(x, 0.2 * x + 0.4 * np.maximum(x - 20, 0), 0.0).knee
    assert knee is not None
    assert knee.size.low <= 20 <= knee.size.high
    assert (knee.slope_below, knee.slope_above) == pytest.approx((0.2, 0.6), rel=0.02)


@pytest.mark.parametrize("num_sizes", [0, 1, 2, 7])
def test_fewer_than_eight_sizes_cannot_tell_and_name_the_next_one(num_sizes):
    x = np.exp2(np.arange(float(num_sizes)))
    found = find_knee(x.tolist(), (x + np.maximum(x - 8, 0)).tolist(), 0.0)
    assert found.knee is None
    assert not found.is_known
    assert found.reason.endswith(".")
    assert (found.next_size is not None) == (num_sizes >= 2)


def test_repeats_of_a_size_count_once():
    x = np.repeat(np.arange(1.0, 5.0), 3)
    assert not find_knee(x, x, 0.0).is_known


def test_constant_series_and_zeros_have_no_knee():
    x = np.arange(1.0, 11.0)
    assert find_knee(x, np.full(10, 3.0), 0.0).knee is None
    assert find_knee(x, np.zeros(10), 0.0).knee is None
