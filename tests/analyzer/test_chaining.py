import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from saih.analyzer.chaining import (
    MOST_PREFIXES,
    chain,
    left_out_errors,
    non_negative,
    prefix_logs,
    single_terms,
)
from saih.analyzer.members import fit_member
from saih.analyzer.terms import (
    EXCHANGE,
    GROWTH,
    OWN_WORK,
    POWER_LAW,
    SHARED_WORK,
    candidates,
    evaluate,
)

LIBRARIES = [GROWTH, SHARED_WORK, OWN_WORK, EXCHANGE]


def read_everywhere(groups, sizes, y):
    """What fits to all points say at all of them, ``[candidate, point]``."""
    count = len(sizes)
    return np.exp(prefix_logs(groups, sizes, y, np.array([count]), np.arange(count)[None])[:, 0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.5, 50), min_size=5, max_size=5))
def test_fitting_all_candidates_at_once_agrees_with_scipy(values):
    sizes, y = 2.0 ** np.arange(5), np.array(values)
    groups = candidates(5)
    for row, group in zip(read_everywhere(groups, sizes, y), groups, strict=True):
        alone = fit_member(group, sizes, y, 1.0).at(sizes)
        if group != POWER_LAW:
            columns = np.stack([evaluate(term, sizes, 1.0) for term in group]) / y
            _, distance = nnls(columns.T, np.ones(5))
            assert np.sum((alone / y - 1) ** 2) == pytest.approx(distance**2, abs=1e-6, rel=1e-6)
        assert np.sum((alone / y - 1) ** 2) == pytest.approx(np.sum((row / y - 1) ** 2), abs=1e-6, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.5, 2.0), min_size=5, max_size=9))
def test_chained_predictions_are_those_of_fits_to_the_points_before(factors):
    sizes = 4.0 * 2.0 ** np.arange(len(factors))
    y = 1e6 * (3 + sizes) * np.array(factors)
    groups, found = candidates(len(factors)), chain(len(factors))
    read = np.exp(prefix_logs(groups, sizes, y, found.begins, found.places))
    for place, begin in enumerate(found.begins):
        for row, group in enumerate(groups):
            member = fit_member(group, sizes[:begin], y[:begin], float(sizes[0]))
            assert read[row, place] == pytest.approx(member.at(sizes[found.places[place]]), rel=1e-5)


def test_a_chain_sums_only_what_was_known_at_each_prefix():
    found = chain(6)
    read = np.zeros((4, 6))
    read[:, 4], read[:, 5] = [1, 10, 100, 1000], [0.1, 0.2, 0.3, 0.4]
    assert found.begins.tolist() == [3, 4, 5, 6]
    assert found.places.tolist()[0] == [0, 1, 2, 2, 3, 4]
    assert found.ahead(read).tolist() == pytest.approx([0, 1, 11.1, 111.3])
    assert found.num_ahead.tolist() == [0, 1, 3, 5]


def test_the_work_on_long_series_grows_with_their_length_only():
    assert len(chain(500).begins) == MOST_PREFIXES + 1
    assert chain(500).begins[-1] == 500


@pytest.mark.parametrize("library", LIBRARIES)
@settings(max_examples=15, deadline=None)
@given(factors=st.lists(st.floats(0.5, 2.0), min_size=4, max_size=7))
def test_points_are_left_out_of_the_fits_that_foresee_them(library, factors):
    sizes = 2.0 ** np.arange(1, 1 + len(factors))
    y = (3 + 10 / sizes) * np.array(factors)
    groups, places = single_terms(len(sizes), library)
    assert tuple(candidates(len(sizes), library)[place] for place in places) == groups
    begins = np.array([len(sizes) - 1, len(sizes)])
    found = left_out_errors(groups, sizes, y, begins)
    for row, group in enumerate(groups):
        for column, begin in enumerate(begins):
            errors = []
            for left_out in range(begin):
                kept = [place for place in range(begin) if place != left_out]
                member = fit_member(group, sizes[kept], y[kept], float(sizes[0]))
                errors.append(abs(np.log(member.at(sizes[[left_out]])[0] / y[left_out])))
            assert found[row, column] == pytest.approx(np.mean(errors), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("library", LIBRARIES)
@settings(max_examples=15, deadline=None)
@given(factors=st.lists(st.floats(0.5, 2.0), min_size=4, max_size=7))
def test_mechanisms_are_fitted_to_each_prefix_as_by_scipy(library, factors):
    sizes = 2.0 ** np.arange(1, 1 + len(factors))
    y = (3 + 10 / sizes + 0.1 * sizes) * np.array(factors)
    begins = np.arange(3, len(sizes) + 1)
    found = non_negative(library.mechanism, sizes, y, begins)
    assert np.all(found >= 0)
    for column, begin in enumerate(begins):
        terms = np.stack([evaluate(term, sizes[:begin], sizes[0]) for term in library.mechanism])
        _, distance = nnls((terms / y[:begin]).T, np.ones(begin))
        misses = found[:, column] @ terms / y[:begin] - 1
        assert np.sum(misses**2) == pytest.approx(distance**2, abs=1e-6, rel=1e-5)


@pytest.mark.parametrize("count", [6, 45])
def test_many_series_are_judged_as_each_by_itself(count):
    generator = np.random.default_rng(8)
    sizes = 2.0 + np.arange(count)
    values = (3 + sizes) * np.exp(0.1 * generator.standard_normal((70, count)))
    groups, _ = single_terms(count, GROWTH)
    begins = chain(count).begins
    together = left_out_errors(groups, sizes, values, begins)
    alone = [left_out_errors(groups, sizes, row, begins) for row in values]
    assert together.shape == (70, len(groups), len(begins))
    assert np.array_equal(together, alone)
