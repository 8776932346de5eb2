import numpy as np
import pytest

from saih.analyzer.fit import GREATEST_FACTOR, fit_law, predict
from saih.analyzer.overtaking import overtakings
from saih.analyzer.terms import GROWTH, SHARED_WORK

SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


def law(truth, sigma, generator, library=GROWTH):
    x = np.array(SIZES)
    values = np.median(truth(x) * np.exp(sigma * generator.standard_normal((3, len(x)))), axis=0)
    return fit_law(SIZES, values.tolist(), sigma / np.sqrt(3), library)


def found_between(below, above, end=GREATEST_FACTOR * SIZES[-1]):
    sizes = np.geomspace(SIZES[0], end, 400)
    return overtakings(predict(below, sizes), predict(above, sizes), sizes, len(SIZES))


@pytest.mark.parametrize("sigma", [0.02, 0.08])
def test_crossings_lie_inside_their_intervals_as_often_as_stated(sigma):
    generator = np.random.default_rng(21)
    hits = []
    for _ in range(40):
        shared = law(lambda p: 40 / p, sigma, generator, SHARED_WORK)
        constant = law(lambda p: 0.9 + 0 * p, sigma, generator)
        found = found_between(shared, constant)
        hits += [one.size.low <= 40 / 0.9 <= one.size.high for one in found]
    assert len(hits) >= 38
    assert np.mean(hits) >= 0.85


def test_an_overtaking_far_beyond_the_sizes_is_not_claimed():
    generator = np.random.default_rng(22)
    work = law(lambda n: 3 + 0 * n, 0.02, generator)
    assert not found_between(work, law(lambda n: 0.001 * n, 0.02, generator))
    (found,) = found_between(work, law(lambda n: 0.05 * n, 0.02, generator))
    assert found.size.low <= 60 <= found.size.high
    assert not found_between(work, law(lambda n: 0.05 * n, 0.02, generator), end=32.0)


def test_an_interval_that_reaches_the_end_of_numbers_is_open():
    x = np.array(SIZES)
    flat = fit_law(SIZES, (1 + 0 * x).tolist(), 0.08)
    rising = fit_law(SIZES, (0.9 + 0.001 * x).tolist(), 0.08)
    (found,) = found_between(flat, rising)
    assert found.is_open_above
    assert found.size.high == pytest.approx(256)
