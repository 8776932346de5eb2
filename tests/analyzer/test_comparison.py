from dataclasses import replace

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.analyzer.analysis import analyze
from saih.analyzer.comparison import compare
from saih.analyzer.system import merged, system_of
from saih.domain.comparison import Matching, View
from saih.domain.errors import UsageError
from saih.domain.point import Placement, Timing
from saih.domain.record import Environment, Phase
from saih.domain.system import Price

OTHER = Environment(facts={"cpu_model": "Test 2", "cores": "4"}, notes={}, environment_id="env-2")


def system(synthetic, generator, name="A", factor=1.0, rows=(8, 16), environment=None, **changes):
    records = [
        synthetic.record(
            synthetic.point(rows=size, **changes),
            synthetic.steps({Phase.FORWARD: factor * 1e5 * size}, generator, sigma=0.04, count=30),
            environment=environment or synthetic.ENVIRONMENT,
        )
        for size in rows
    ]
    analysis = analyze("sweep", records, [], [], len(rows), find_workload=lambda name: synthetic.workload)
    return system_of(analysis, name)


def both(synthetic, noise, factor=1.0, **changes):
    generator = np.random.default_rng(noise)
    a = system(synthetic, generator)
    (pair,) = compare([a, system(synthetic, generator, "B", factor, **changes)]).pairs
    return pair


def test_a_real_difference_is_called_one_and_turns_with_the_sides(synthetic):
    generator = np.random.default_rng(53)
    a, b = system(synthetic, generator), system(synthetic, generator, "B", 1.25)
    (pair,), (back,) = compare([a, b]).pairs, compare([b, a]).pairs
    assert all(match.is_different for match in pair.matched)
    assert all(match.speed_ratio.value > 1.2 for match in pair.matched)
    assert back.geometric_mean.value == pytest.approx(1 / pair.geometric_mean.value)


def test_a_system_is_not_told_apart_from_itself(synthetic):
    a = system(synthetic, np.random.default_rng(52), rows=(8, 16, 32, 64))
    (pair,) = compare([a, replace(a, name="B")]).pairs
    assert pair.geometric_mean.value == 1.0
    assert not any(match.is_different for match in pair.matched)
    assert not any(curve.exponents.is_different for curve in pair.curves)
    assert not any(curve.crossings for curve in pair.curves)


def test_seeds_timing_and_device_do_not_part_points(synthetic):
    pair = both(synthetic, 54, seed=7, timing=Timing(budget_s=1.0), placement=Placement(device="cuda"))
    assert len(pair.matched) == 2
    assert pair.differences == ("Devices: A used cpu, B used cuda.",)
    assert any("placement: 1 node x 1 rank x 1 thread (cpu) on A" in text for text in pair.matched[0].differs)


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
    a = system(synthetic, generator, rows=(8,))
    (pair,) = compare([a, system(synthetic, generator, "B", rows=(8,), **changes)]).pairs
    assert pair.matched == ()
    assert pair.geometric_mean is None
    assert all(view.ratio is None and view.remark == "no matched point" for view in pair.views)
    assert len(pair.only_a) == len(pair.only_b) == 1
    assert "8 rows" in pair.only_a[0]
    assert len(pair.near_misses) == (0 if "problem" in changes else 1)


def test_what_keeps_points_apart_is_said(synthetic):
    pair = both(synthetic, 55, precision="bfloat16")
    assert pair.near_misses == ("2 would match but for precision (float32 on A, bfloat16 on B).",)


def test_points_of_one_side_are_listed(synthetic):
    pair = both(synthetic, 56, rows=(16, 32))
    assert [match.labels["data"] for match in pair.matched] == ["16 rows"]
    assert "8 rows" in pair.only_a[0]
    assert "32 rows" in pair.only_b[0]


def test_several_seeds_are_repeats_of_one_point_and_tell_the_noise(synthetic):
    generator = np.random.default_rng(57)
    seeds = [system(synthetic, generator, seed=seed) for seed in (1, 2, 3)]
    several = replace(seeds[0], points=tuple(point for one in seeds for point in one.points))
    (pair,) = compare([several, system(synthetic, generator, "B")]).pairs
    assert [len(match.records_a) for match in pair.matched] == [3, 3]
    assert "from 6 measurements of 2 repeated points, and 2.1" in pair.noise.source
    assert "assumed for all points of a run together" in pair.noise.source
    assert pair.noise.own < 0.021
    assert pair.only_a == pair.only_b == ()


def test_repeated_sweeps_tell_what_moves_a_whole_run(synthetic):
    generator = np.random.default_rng(58)
    shifts = (1.0, 1.2, 0.85, 1.1, 0.9)
    runs = [system(synthetic, generator, "A", shift, rows=(8, 16, 32)) for shift in shifts]
    (pair,) = compare([merged("A", runs), system(synthetic, generator, "B", rows=(8, 16, 32))]).pairs
    assert pair.noise.shared > 0.05
    assert pair.noise.own < 0.03
    assert {record.partition("#")[2] for record in pair.matched[0].records_a} == {"1", "2", "3", "4", "5"}


def test_node_to_node_each_system_uses_its_nodes_as_it_does_best(synthetic):
    generator = np.random.default_rng(59)
    slow = system(synthetic, generator, "A", 1.0, batch_per_rank=2)
    fast = system(synthetic, generator, "A", 1.0, batch_per_rank=8)  # four times the samples in one step
    a = replace(slow, points=(*slow.points, *fast.points))
    b = system(synthetic, generator, "B", batch_per_rank=4, placement=Placement(threads_per_rank=2))
    assert compare([a, b]).pairs[0].matched == ()
    (pair,) = compare([a, b], matching=Matching.NODES).pairs
    assert len(pair.matched) == 2
    assert pair.matched[0].speed_ratio.value == pytest.approx(2, rel=0.1)
    assert any("global batch: 8 on A, 4 on B" in text for text in pair.matched[0].differs)


def test_what_differs_between_the_systems_is_said_fact_by_fact(synthetic):
    assert both(synthetic, 58, environment=OTHER).differences == (
        "cores: A has no entry, B has 4.",
        "cpu_model: A has Test 1, B has Test 2.",
        "torch: A has 2.13, B has no entry.",
    )


def test_views_that_nothing_is_known_of_say_so(synthetic):
    pair = both(synthetic, 60)
    views = {view.view: view for view in pair.views}
    assert set(views) == set(View)
    for view, reason in ((View.JOULE, "energy was not measured"), (View.SHARE, "no measured peak")):
        assert views[view].ratio is None
        assert views[view].remark == reason
    assert views[View.NODE].ratio == views[View.SYSTEM].ratio


def test_a_view_that_one_system_lacks_names_it(synthetic):
    generator = np.random.default_rng(60)
    a = replace(system(synthetic, generator), price=Price(per_node_hour=2.0, currency="EUR"))
    (pair,) = compare([a, system(synthetic, generator, "B")]).pairs
    views = {view.view: view for view in pair.views}
    assert views[View.PRICE].remark == "no price was given (--price) on B"


def test_a_given_noise_is_taken_as_it_is(synthetic):
    generator = np.random.default_rng(61)
    a, b = system(synthetic, generator), system(synthetic, generator, "B", 1.1)
    told = [compare([a, b], noise=noise).pairs[0] for noise in (0.001, 0.2)]
    assert [pair.is_different for pair in told] == [True, False]
    assert told[1].noise.source == "20\N{NO-BREAK SPACE}% as given"


@pytest.mark.parametrize("names", [("A",), ("A", "A")])
def test_one_system_alone_or_two_of_one_name_are_refused(synthetic, names):
    one = system(synthetic, np.random.default_rng(62))
    with pytest.raises(UsageError):
        compare([replace(one, name=name) for name in names])
