"""Checks of trends, each on series that must pass and on series that must not."""

from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.analysis import analyze
from saih.analyzer.divergence import diverge
from saih.analyzer.drift import find_drift
from saih.analyzer.fit import fit_law
from saih.analyzer.memory_room import memory_room
from saih.analyzer.peer_forecasts import own_chained_error, peer_forecasts
from saih.analyzer.regime import changes_of_setting
from saih.analyzer.summary import summarize
from saih.analyzer.trends import find_trends
from saih.domain.point import Placement
from saih.domain.record import Environment, Phase

SIZES = (8, 16, 32, 64, 128, 256)
WORK = {Phase.FORWARD: lambda x: 1e6 + 1e5 * x, Phase.INPUT_PRODUCE: lambda x: 1e5 + 1e3 * x}


def trend_of(synthetic, truth=WORK, sizes=SIZES, seed=1, change=lambda points: points, facts=None):
    records = synthetic.sweep(truth, sizes, np.random.default_rng(seed))
    points = [summarize(one, one.result.steps, synthetic.workload, None) for one in records]
    (trend,) = find_trends(change(points), synthetic.workload.axes, [synthetic.ceilings()], facts or {})
    return trend


def check(trend, name):
    return next(one for one in trend.checks if one.name == name)


def moments(order):
    return [f"2026-01-01T00:{place:02d}:00+00:00" for place in order]


def test_a_drift_is_found_when_sizes_were_measured_in_mixed_order():
    generator = np.random.default_rng(61)
    order = [3, 0, 6, 1, 7, 4, 2, 5, 9, 8]
    sizes = np.exp2(np.arange(10.0))
    drifted = [
        find_drift(
            (0.05 * np.array(order) + 0.01 * generator.standard_normal(10)).tolist(), sizes, moments(order)
        )
        for _ in range(20)
    ]
    assert all(found.p_value <= 0.01 for found in drifted)
    assert np.mean([found.change for found in drifted]) == pytest.approx(0.45, rel=0.15)
    still = [find_drift(generator.standard_normal(10).tolist(), sizes, moments(order)) for _ in range(100)]
    assert np.mean([found.p_value <= 0.05 for found in still]) <= 0.12


def test_drift_and_growth_cannot_be_told_apart_in_growing_order():
    found = find_drift([0.0, 0.1, 0.0, 0.1, 0.0, 0.1], SIZES, moments(range(6)))
    assert not found.is_told_apart
    assert find_drift([0.0, 0.1, 0.0], SIZES[:3], moments(range(3))) is None
    assert find_drift([0.0] * 6, SIZES, [""] * 6) is None


def test_a_sweep_that_slowed_down_fails_its_check(synthetic):
    order = (3, 0, 4, 1, 5, 2, 7, 6)
    sizes = tuple(8 * 2**index for index in range(8))

    def change(points):
        slowed = []
        for place, point in zip(order, points, strict=True):
            factor = 1.1**place
            phases = {phase: value.scaled(factor) for phase, value in point.phases_ns.items()}
            step = point.step_ns.scaled(factor)
            slowed.append(replace(point, step_ns=step, phases_ns=phases, measured_utc=moments([place])[0]))
        return slowed

    found = check(trend_of(synthetic, sizes=sizes, change=change), "machine did not drift")
    assert found.passed is False
    assert "permutation test" in found.statement
    unknown = check(trend_of(synthetic), "machine did not drift")
    assert unknown.passed is None


def test_a_change_of_the_input_cache_bounds_the_law(synthetic):
    def change(points):
        return [
            replace(point, settings={"input cache": "warm" if index < 4 else "cold"})
            for index, point in enumerate(points)
        ]

    found = check(trend_of(synthetic, change=change), "same settings")
    assert found.passed is False
    assert "input cache (warm at size 64.0, cold at size 128)" in found.statement
    assert check(trend_of(synthetic), "same settings").passed is True


def test_working_sets_that_leave_the_caches_are_a_boundary_not_a_fault(synthetic):
    def change(points):
        return [replace(point, tensor_bytes=100_000 * int(point.axis_sizes["data"])) for point in points]

    trend = trend_of(synthetic, change=change)
    found = check(trend, "same settings")
    assert found.passed is None
    assert "working set in the caches (yes at size 8.00, no at size 16.0)" in found.statement


def test_unknown_settings_are_no_change(synthetic, summary_of):
    known = replace(summary_of(synthetic.point()), settings={"input cache": "warm"})
    assert changes_of_setting([known, replace(known, settings={})], None) == ()


def test_predicted_tensors_beyond_the_memory_are_infeasible(synthetic):
    def change(points):
        return [replace(point, tensor_bytes=10**7 * int(point.axis_sizes["data"])) for point in points]

    found = check(trend_of(synthetic, change=change, facts={"memory": "4 GiB"}), "fits the memory")
    assert found.passed is False
    assert "infeasible" in found.statement
    assert "Up to about size 4" in found.statement
    fits = check(trend_of(synthetic, change=change, facts={"memory": "64 GiB"}), "fits the memory")
    assert fits.passed is True
    names = {one.name for one in trend_of(synthetic, change=change).checks}
    assert "fits the memory" not in names


@pytest.mark.parametrize(
    ("facts", "device", "expected"),
    [
        ({"memory": "24 GiB"}, "cpu", 12 * 2**30),
        ({"memory": "unknown"}, "cpu", None),
        ({"gpus": "4 x Example GPU 80 GB", "memory": "768 GB"}, "cuda", 80e9),
        ({"gpus": "NVIDIA H200"}, "cuda", None),
        ({"gpus": "A 40 GB, B 80 GB"}, "cuda", None),
        ({}, "cpu", None),
    ],
)
def test_room_is_read_from_the_facts_or_not_known(facts, device, expected):
    placement = Placement(ranks_per_node=2, data_parallel=2, device=device)
    assert memory_room(facts, placement) == expected


def test_traffic_above_the_bandwidth_cannot_be(synthetic):
    fast = {Phase.FORWARD: lambda x: 10 * x}
    found = check(trend_of(synthetic, fast), "below the memory bandwidth")
    assert found.passed is False
    assert "which cannot be" in found.statement
    assert check(trend_of(synthetic), "below the memory bandwidth").passed is True


def test_an_exchange_faster_than_the_link_fails(synthetic):
    def measured(exchange_ns):
        def change(points):
            phases = {Phase.COMMUNICATION_TOTAL: synthetic.rate(exchange_ns)}
            return [
                replace(point, gradient_bytes=2_000_000, phases_ns={**point.phases_ns, **phases})
                for point in points
            ]

        return check(trend_of(synthetic, change=change), "exchange no faster than the link")

    assert measured(5e4).passed is False
    assert measured(2e6).passed is True


def test_what_was_never_recorded_may_hide_another_regime(synthetic):
    def change(points):
        return [
            replace(
                point,
                phases_ns={p: value for p, value in point.phases_ns.items() if p is not Phase.INPUT_PRODUCE},
            )
            for point in points
        ]

    found = check(trend_of(synthetic, change=change), "hidden parts were recorded")
    assert found.passed is None
    assert "An unseen regime is possible: the production of input" in found.statement
    assert check(trend_of(synthetic), "hidden parts were recorded").passed is True


def test_a_bend_among_eight_sizes_is_named(synthetic):
    bent = {Phase.FORWARD: lambda x: 1e5 * x + 4e5 * max(x - 60, 0)}
    sizes = tuple(range(10, 130, 10))
    found = check(trend_of(synthetic, bent, sizes), "no bend inside the range")
    assert found.passed is False
    assert "The series bends at size" in found.statement
    assert check(trend_of(synthetic), "no bend inside the range").passed is None


def test_a_turn_just_beyond_the_points_is_announced_with_the_size_to_measure(synthetic):
    pipeline = {Phase.FORWARD: lambda x: 2e7 + 0 * x, Phase.INPUT_PRODUCE: lambda x: 5e4 * x}
    trend = trend_of(synthetic, pipeline)
    (crossing,) = trend.crossings
    assert crossing.size.low <= 400 <= crossing.size.high
    found = check(trend, "no turn just beyond the range")
    assert found.passed is False
    assert "Measure size" in found.statement
    assert check(trend_of(synthetic), "no turn just beyond the range").passed is True


def test_members_that_differ_ask_for_the_size_that_tells_them_apart():
    law = fit_law((1.0, 2.0, 64.0), (1.0, 1.5, 40.0), 0.02)
    found = diverge(law, 512.0)
    assert found.ratio >= 1.0
    assert 64 < found.next_size <= 512
    ended = diverge(law, 64.0, greatest=64.0)
    assert 1 < ended.next_size < 64


def test_peers_are_foreseen_at_the_end_of_the_curve_and_judged_as_our_law_is(synthetic):
    trend = trend_of(synthetic)
    assert [peer.name for peer in trend.peers] == ["power law", "last slope"]
    assert all(peer.size == 512 for peer in trend.peers)
    assert trend.chained_error is not None
    assert trend.chained_error < min(peer.chained_error for peer in trend.peers)
    cubic = peer_forecasts((1.0, 2.0, 4.0, 8.0, 16.0), (1.0, 8.0, 64.0, 512.0, 4096.0), 32.0)
    assert [peer.value_ns for peer in cubic] == pytest.approx([32.0**3] * 2)
    assert [peer.chained_error for peer in cubic] == pytest.approx([0, 0], abs=1e-9)


def test_four_sizes_do_not_judge_who_foresees_better():
    sizes, values = (1.0, 2.0, 4.0, 8.0), (1.0, 2.0, 4.0, 8.0)
    assert all(peer.chained_error is None for peer in peer_forecasts(sizes, values, 16.0))
    assert own_chained_error(fit_law(sizes, values, 0.02)) is None


def test_the_memory_of_the_environment_reaches_the_trends(synthetic):
    environment = Environment(facts={"memory": "1 MiB"}, notes={}, environment_id="env-1")
    records = [
        replace(one, environment=environment)
        for one in synthetic.sweep(WORK, SIZES, np.random.default_rng(62))
    ]
    found = analyze("sweep", records, [], [], 6, find_workload=lambda name: synthetic.workload)
    assert check(found.trends[0], "fits the memory").passed is True
