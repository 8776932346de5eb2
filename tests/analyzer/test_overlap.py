import numpy as np
import pytest

from saih.analyzer.overlap import exposed, fit_overlap, fit_power, smooth_maximum

TOTAL = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
BACKWARD = np.full(5, 10.0)


def rule(total, backward, window, tail):
    return exposed(np.array([window]), np.array([tail]), total, backward)[0]


@pytest.mark.parametrize(("window", "tail"), [(0.6, 0.0), (0.9, 0.1), (0.3, 0.2)])
def test_a_window_that_binds_is_recovered_and_foresees_larger_exchanges(window, tail):
    measured = rule(TOTAL, BACKWARD, window, tail)
    found = fit_overlap(TOTAL, BACKWARD, measured, measured + 30, 0.02)
    assert found is not None
    assert found.is_bound
    assert found.window == pytest.approx(window, abs=0.06)
    larger, backward = np.array([64.0]), np.array([10.0])
    expected = found.weights @ found.exposed(larger, backward)
    assert expected == pytest.approx(rule(larger, backward, window, tail), rel=0.05)


def test_a_window_that_never_binds_stays_open_between_what_was_hidden_and_the_backward_pass():
    total = TOTAL / 4
    found = fit_overlap(total, BACKWARD, 0 * total, np.full(5, 30.0), 0.02)
    assert found is not None
    assert not found.is_bound
    assert found.windows.min() <= 0.45
    assert found.windows.min() >= 0.35
    assert found.windows.max() == 1.0
    cases = found.exposed(np.array([20.0]), np.array([10.0]))
    assert cases.min() < 11
    assert cases.max() > 15


def test_an_exchange_whose_share_is_always_exposed_is_a_tail_not_a_window():
    measured = TOTAL / 4
    found = fit_overlap(TOTAL / 2, BACKWARD, measured / 2, np.full(5, 30.0), 0.01)
    assert found is not None
    assert float(found.weights @ found.tails) == pytest.approx(0.25, abs=0.03)


def test_an_exchange_that_nothing_hides_or_no_rule_explains_has_no_overlap():
    assert fit_overlap(TOTAL, BACKWARD, 0.95 * TOTAL, TOTAL + 30, 0.02) is None
    odd = TOTAL * np.array([0.8, 0.0, 0.8, 0.0, 0.8])
    assert fit_overlap(TOTAL, BACKWARD, odd, TOTAL + 5, 0.02) is None


def test_the_sharpness_of_the_turn_is_read_from_points_near_it_only():
    work, produce = np.full(7, 1.0), np.linspace(0.6, 1.4, 7)
    assert fit_power(work, produce, smooth_maximum(work, produce, 4.0)) == 4.0
    assert fit_power(work, produce, smooth_maximum(work, produce, 16.0)) > 8.0
    assert fit_power(work, produce / 10, smooth_maximum(work, produce / 10)) == 8.0


def test_the_smooth_maximum_of_nothing_is_nothing():
    assert smooth_maximum(np.zeros(2), np.array([0.0, 3.0])) == pytest.approx([0, 3])
