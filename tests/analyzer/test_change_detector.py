import math
import sys

import numpy as np
import pytest

from saih.analyzer.change_detector import FEWEST_RUNS, detector, first_p_value, steps_of
from saih.domain.errors import EnvironmentMissing

ALPHA = 0.01


def noisy(seed, length, steps=(), sigma=0.02):
    values = sigma * np.random.default_rng(seed).standard_normal(length)
    for place, size in steps:
        values[place:] += size
    return values


def test_a_step_is_found_where_it_is_with_its_size():
    numbers = []
    for seed in range(20):
        values = noisy(seed, 20, [(12, math.log(0.9))])
        assert first_p_value(values) < ALPHA
        steps = steps_of(values, ALPHA)
        numbers.append(len(steps))
        (near,) = [step for step in steps if abs(step.place - 12) <= 1]
        assert abs(near.size - math.log(0.9)) <= near.half_width
    assert numbers.count(1) >= 18


def test_two_steps_are_both_found():
    found = [steps_of(noisy(seed, 30, [(10, -0.12), (20, 0.15)]), ALPHA) for seed in range(10)]
    assert all([step.place for step in steps] == [10, 20] for steps in found)


def test_quiet_series_seldom_give_an_alarm():
    for length in (6, 9, 15, 30):
        alarms = np.mean([first_p_value(noisy(seed, length)) < 0.05 for seed in range(400)])
        assert alarms <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400), (length, alarms)


def test_heavy_tails_give_no_more_alarms():
    generator = np.random.default_rng(4)
    alarms = np.mean([first_p_value(generator.standard_t(3, 15)) < 0.05 for _ in range(400)])
    assert alarms <= 0.07


def test_a_great_step_is_less_likely_than_any_simulation_resolves():
    greater = [first_p_value(noisy(0, 20, [(12, size)])) for size in (0.1, 0.2, 0.4)]
    assert greater == sorted(greater, reverse=True)
    assert 0 < greater[-1] < 1e-9


@pytest.mark.parametrize("length", range(FEWEST_RUNS))
def test_too_few_runs_tell_nothing(length):
    assert first_p_value(np.arange(length, dtype=float)) == 1.0


def test_a_series_without_any_noise_gives_no_alarm():
    assert first_p_value(np.zeros(12)) > 0.5


def test_without_the_library_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "ruptures", None)
    with pytest.raises(EnvironmentMissing, match=r"\.\[history\]"):
        detector()
