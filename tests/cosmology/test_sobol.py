"""Points that fill the cube of parameters evenly, at any address."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, qmc

from cosmology.choices import Split
from cosmology.definition_check import MAX_UNIVERSES
from cosmology.parameters import draw_targets
from cosmology.sobol import NUM_DIMENSIONS, sobol_point


def test_points_are_those_of_scipy_without_scrambling() -> None:
    points = np.array([[value * 2.0**-64 for value in sobol_point(index)] for index in range(4096)])
    assert np.array_equal(points, qmc.Sobol(NUM_DIMENSIONS, scramble=False, bits=64).random(4096))


@pytest.mark.parametrize("digit", range(1, 64))
def test_points_of_far_addresses_use_the_direction_numbers_of_scipy(digit: int) -> None:
    """Gray code of 2^k has the digits k and k - 1; scipy itself would count up to the address."""
    directions = qmc.Sobol(NUM_DIMENSIONS, scramble=False, bits=64)._sv
    expected = [int(row[digit]) ^ int(row[digit - 1]) for row in directions]
    assert list(sobol_point(2**digit)) == expected


@settings(max_examples=20)
@given(st.integers(0, 2**63 - 1), st.sampled_from(Split), st.integers(0, 2**20))
def test_every_256_universes_fill_each_range_and_each_pair_of_ranges_evenly(
    seed: int, split: Split, block: int
) -> None:
    """A digital shift keeps the net: one point in each 256th of a range, 16 in each 16 x 16 where proved."""
    first = split.first_universe + 256 * block
    drawn = np.array([draw_targets(seed, universe) for universe in range(first, first + 256)])
    bins = ((drawn + 1) / 2 * 256).astype(int)
    for axis in range(NUM_DIMENSIONS):
        assert sorted(bins[:, axis]) == list(range(256))
    assert len({(one // 16, other // 16) for one, other in bins[:, :2]}) == 256


def test_splits_and_seeds_draw_other_points_of_the_same_uniform_law() -> None:
    first = MAX_UNIVERSES
    train, validation, other = (
        np.array([draw_targets(seed, begin + universe) for universe in range(3000)])
        for seed, begin in ((7, 0), (7, first), (8, 0))
    )
    for one, another in ((train, validation), (train, other)):
        assert not {tuple(point) for point in one} & {tuple(point) for point in another}
        assert not (one == another).any()
    for drawn in (train, validation, other):
        for axis in range(NUM_DIMENSIONS):
            assert kstest(drawn[:, axis], "uniform", args=(-1, 2)).pvalue > 0.05


@given(st.integers(0, 2**63 - 1), st.integers(0, 2 * MAX_UNIVERSES - 1))
def test_targets_are_in_range_and_a_pure_function_of_their_name(seed: int, universe: int) -> None:
    targets = draw_targets(seed, universe)
    assert all(-1 <= target < 1 for target in targets)
    assert targets == draw_targets(seed, universe)
