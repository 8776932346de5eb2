import numpy as np
import pytest

from saih.analyzer.peers import peers


def test_a_power_law_is_read_back_by_both_peers():
    sizes = [2.0, 4.0, 8.0, 16.0]
    power, slope = peers(sizes, [3 * size**1.5 for size in sizes])
    for peer in (power, slope):
        assert peer.exponent == pytest.approx(1.5)
        assert peer.at(np.array([64.0])) == pytest.approx([3 * 512.0])
        assert peer.chained_error == pytest.approx(0, abs=1e-9)
    assert [power.name, slope.name] == ["power law", "last slope"]


def test_the_last_slope_follows_the_two_largest_sizes_only():
    power, slope = peers([1.0, 2.0, 4.0], [1.0, 1.0, 4.0])
    assert slope.at(np.array([8.0])) == pytest.approx([16.0])
    assert power.at(np.array([8.0]))[0] < 16


def test_chained_errors_are_those_of_foreseeing_each_next_point():
    _, slope = peers([1.0, 2.0, 4.0, 8.0], [1.0, 2.0, 2.0, 4.0])
    # From 1, 2 comes 4 (measured 2); from 2, 2 comes 2 (measured 4).
    assert slope.chained_error == pytest.approx(np.log(2))


def test_order_and_repeats_do_not_matter():
    assert peers([4.0, 2.0, 8.0, 2.0], [4.0, 2.0, 8.0, 2.0]) == peers([2.0, 4.0, 8.0], [2.0, 4.0, 8.0])


def test_two_sizes_leave_nothing_to_foresee_and_one_has_no_line():
    assert [peer.chained_error for peer in peers([1.0, 2.0], [1.0, 3.0])] == [None, None]
    assert peers([2.0, 2.0], [1.0, 3.0]) == ()
