from dataclasses import replace

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.analyzer.analysis import analyze
from saih.analyzer.comparison import compare
from saih.domain.point import Placement, Timing
from saih.domain.record import Environment, Phase

OTHER = Environment(facts={"cpu_model": "Test 2", "cores": "4"}, notes={}, environment_id="env-2")


def analysis_of(synthetic, generator, factor=1.0, rows=(8, 16), environment=None, **changes):
    records = [
        synthetic.record(
            synthetic.point(rows=size, **changes),
            synthetic.steps({Phase.FORWARD: factor * 1e5 * size}, generator, sigma=0.04, count=30),
            environment=environment or synthetic.ENVIRONMENT,
        )
        for size in rows
    ]
    return analyze("sweep", records, [], [], len(rows), find_workload=lambda name: synthetic.workload)


@pytest.mark.slow
def test_ratio_and_mean_intervals_hold_their_level(synthetic):
    generator = np.random.default_rng(51)
    ratios, means = [], []
    for _ in range(200):
        a, b = (analysis_of(synthetic, generator, factor) for factor in (1.0, 1.25))
        comparison = compare(a, b, "A", "B")
        ratios += [match.speed_ratio for match in comparison.matched]
        means.append(comparison.geometric_mean)
    for found in (ratios, means):
        covered = np.mean([one.low <= 1.25 <= one.high for one in found])
        assert covered >= 0.93, covered


@pytest.mark.slow
def test_equal_systems_are_seldom_called_different(synthetic):
    generator = np.random.default_rng(52)
    called = []
    for _ in range(200):
        a, b = (analysis_of(synthetic, generator) for _ in range(2))
        called += [match.is_different for match in compare(a, b, "A", "B").matched]
    assert np.mean(called) <= 0.07, np.mean(called)


def test_a_real_difference_is_called_one(synthetic):
    generator = np.random.default_rng(53)
    a, b = analysis_of(synthetic, generator), analysis_of(synthetic, generator, 1.25)
    comparison = compare(a, b, "A", "B")
    assert all(match.is_different for match in comparison.matched)
    assert all(match.speed_ratio.value > 1.2 for match in comparison.matched)
    back = compare(b, a, "B", "A")
    assert back.geometric_mean.value == pytest.approx(1 / comparison.geometric_mean.value)


def test_seeds_timing_and_device_do_not_part_points(synthetic):
    generator = np.random.default_rng(54)
    a = analysis_of(synthetic, generator)
    b = analysis_of(
        synthetic, generator, seed=7, timing=Timing(budget_s=1.0), placement=Placement(device="cuda")
    )
    comparison = compare(a, b, "A", "B")
    assert len(comparison.matched) == 2
    assert comparison.differences == ("Devices: A used cpu, B used cuda.",)


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_per_rank": 3},
        {"precision": "bfloat16"},
        {"placement": Placement(threads_per_rank=2)},
        {"exchange": "ddp"},
        {"problem": Problem(data=Shape.of(rows=8), model=Shape.of(width=65))},
    ],
)
def test_points_that_ask_something_else_do_not_match(synthetic, changes):
    generator = np.random.default_rng(55)
    a = analysis_of(synthetic, generator, rows=(8,))
    comparison = compare(a, analysis_of(synthetic, generator, rows=(8,), **changes), "A", "B")
    assert comparison.matched == ()
    assert comparison.geometric_mean is None
    assert len(comparison.only_a) == len(comparison.only_b) == 1
    assert "8 rows" in comparison.only_a[0]


def test_points_of_one_side_are_listed(synthetic):
    generator = np.random.default_rng(56)
    a, b = analysis_of(synthetic, generator, rows=(8, 16)), analysis_of(synthetic, generator, rows=(16, 32))
    comparison = compare(a, b, "A", "B")
    assert [match.labels["data"] for match in comparison.matched] == ["16 rows"]
    assert "8 rows" in comparison.only_a[0]
    assert "32 rows" in comparison.only_b[0]


def test_several_seeds_pair_one_to_one(synthetic):
    generator = np.random.default_rng(57)
    first, second = analysis_of(synthetic, generator), analysis_of(synthetic, generator, seed=2)
    both = replace(first, points=second.points + first.points)
    comparison = compare(both, first, "A", "B")
    assert [match.record_a == match.record_b for match in comparison.matched] == [True, True]
    assert all("seed 2" in label for label in comparison.only_a)
    assert comparison.only_b == ()


def test_what_differs_between_the_systems_is_said_fact_by_fact(synthetic):
    generator = np.random.default_rng(58)
    a, b = analysis_of(synthetic, generator), analysis_of(synthetic, generator, environment=OTHER)
    assert compare(a, b, "A", "B").differences == (
        "cores: A has no entry, B has 4.",
        "cpu_model: A has Test 1, B has Test 2.",
        "torch: A has 2.13, B has no entry.",
    )
