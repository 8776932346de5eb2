import math

import numpy as np
import pytest
from scipy import optimize, special

from saih.analyzer.correlation import correlation_time
from saih.analyzer.learning import SIGNIFICANCE, check_loss
from workloads.activity import INFERENCE


def test_a_falling_loss_is_learning_in_nearly_every_run():
    generator = np.random.default_rng(1)
    fall = np.exp(-np.arange(40) / 15)
    learned = [check_loss(tuple(fall + 0.15 * generator.standard_normal(40))).is_learning for _ in range(200)]
    assert np.mean(learned) >= 0.95


def test_a_loss_of_pure_noise_is_hardly_ever_learning():
    generator = np.random.default_rng(2)
    learned = [check_loss(tuple(1 + generator.standard_normal(40))).is_learning for _ in range(400)]
    assert np.mean(learned) <= 0.02


def test_a_slowly_wandering_loss_is_seldom_learning(synthetic):
    series = synthetic.lognormal(np.random.default_rng(3), (300, 60), 0.1, 0.6)
    assert np.mean([check_loss(tuple(row)).is_learning for row in series]) <= 0.05


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ((0.5,) * 20, "No learning seen"),
        (tuple(np.linspace(1, 2, 20)), "No learning seen"),
        ((3.0, 2.0, 1.0), "steps are needed"),
        (tuple(np.linspace(2, 1, 20)), "learns"),
    ],
)
def test_the_statement_says_what_was_seen(losses, words):
    check = check_loss(losses)
    assert words in check.statement
    assert check.is_learning == (words == "learns")


def test_a_run_without_losses_says_so():
    check = check_loss(())
    assert math.isnan(check.first)
    assert not check.is_learning
    assert "No loss" in check.statement


def test_where_nothing_is_trained_the_number_is_only_told():
    check = check_loss((0.5, 0.25, 0.75), INFERENCE)
    assert check.is_learning is None
    assert check.name == "mean output"
    assert check.statement == "The mean output of 3 steps is finite; nothing is trained."
    assert "No mean output was recorded" in check_loss((), INFERENCE).statement


def by_the_whole_formula(losses: list[float]) -> bool:
    values = np.array(losses)
    count = len(values)
    statistic = np.triu(np.sign(values[None, :] - values[:, None]), 1).sum()
    deviation = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    residuals = values - optimize.isotonic_regression(values, increasing=False).x
    score = (statistic + 1) / deviation / math.sqrt(correlation_time(residuals))
    return bool(special.ndtr(score) < SIGNIFICANCE)


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_what_is_told_without_a_curve_is_what_the_whole_formula_tells(slope):
    generator = np.random.default_rng(5)
    for count in (8, 13, 40):
        for _ in range(20):
            losses = generator.standard_normal(count).cumsum() * 0.3 + generator.standard_normal(count)
            falling = (losses - slope * np.linspace(0, 2, count)).tolist()
            quarter = count // 4
            is_lower = np.median(falling[-quarter:]) < np.median(falling[:quarter])
            assert check_loss(falling).is_learning == (is_lower and by_the_whole_formula(falling))
