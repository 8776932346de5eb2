import numpy as np
import pytest

from saih.analyzer.correlation import (
    block_indices,
    correlation_time,
    dependent_median_interval,
    dependent_median_intervals,
)


@pytest.mark.parametrize(("count", "correlation"), [(20, 0.0), (30, 0.4), (40, 0.7), (100, 0.8)])
def test_the_median_interval_of_correlated_steps_holds_its_level(synthetic, count, correlation):
    generator = np.random.default_rng(1)
    series = synthetic.lognormal(generator, (400, count + 60), 0.05, correlation)[:, 60:]
    found = [dependent_median_interval(row.tolist()) for row in series]
    covered = np.mean([interval.low <= 1 <= interval.high for interval in found])
    assert covered >= 0.93, f"AR(1) {correlation}, {count} steps: 95 % interval covers {covered:.3f}"


def test_independent_steps_pay_little_for_the_caution(synthetic):
    series = synthetic.lognormal(np.random.default_rng(2), (300, 60), 0.05)
    times = [correlation_time(row) for row in series]
    assert np.median(times) == 1
    assert np.mean(times) < 1.3


def test_the_correlation_time_grows_with_the_correlation(synthetic):
    series = [synthetic.lognormal(np.random.default_rng(3), (60, 200), 0.1, phi) for phi in (0.0, 0.5, 0.8)]
    times = [np.mean([correlation_time(row) for row in rows]) for rows in series]
    assert times[0] < 1.5 < times[1] < 5 < times[2]


def test_equal_or_few_steps_have_no_correlation():
    assert correlation_time([5.0] * 40) == 1
    assert correlation_time([1.0, 2.0, 3.0]) == 1


def test_a_single_step_is_its_own_interval():
    interval = dependent_median_interval([7.0])
    assert (interval.low, interval.value, interval.high, interval.count) == (7, 7, 7, 1)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_a_median_of_nothing_or_of_what_is_not_finite_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        dependent_median_interval(values)


def test_blocks_keep_neighbours_together_and_use_every_step():
    rows = block_indices(20, 5, 300, np.random.default_rng(4))
    assert rows.shape == (300, 20)
    assert set(np.diff(rows.reshape(300, 4, 5), axis=2).ravel().tolist()) <= {1, -19}
    assert np.unique(rows).tolist() == list(range(20))


def test_equal_values_do_not_pass_for_correlation():
    mostly_zero = np.where(np.arange(60) % 7 == 3, 5.0, 0.0)
    assert correlation_time(np.random.default_rng(5).permutation(mostly_zero)) == 1


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_few_steps_have_an_interval_that_still_holds_its_level(synthetic, count):
    series = synthetic.lognormal(np.random.default_rng(6), (400, count), 0.05)
    found = [dependent_median_interval(row.tolist()) for row in series]
    assert np.mean([interval.low <= 1 <= interval.high for interval in found]) >= 0.93


def test_few_durations_with_zeros_stay_above_zero():
    interval = dependent_median_interval([0.0, 0.0, 3.0])
    assert interval.low == 0
    assert interval.high > 3


@pytest.mark.parametrize("count", [2, 5, 6, 7, 20, 33])
def test_rows_at_once_have_the_intervals_that_each_has_alone(count: int) -> None:
    generator = np.random.default_rng(count)
    noise = generator.standard_normal((40, count))
    drifting = np.cumsum(noise, axis=1)
    tied = np.round(noise)
    rows = np.exp(0.1 * np.concatenate([noise, drifting, tied, np.ones((1, count))]))
    assert dependent_median_intervals(rows) == [dependent_median_interval(row) for row in rows]
    rows[3, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        dependent_median_intervals(rows)
