from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.analysis import analyze
from saih.analyzer.fit import intervals
from saih.analyzer.recombination import compose, predict_step
from saih.analyzer.summary import summarize
from saih.analyzer.trends import find_trends
from saih.domain.record import Phase
from saih.domain.supply import Supply

SIZES = (8, 16, 32, 64, 128, 256)
OFFSET_AND_WORK = {
    Phase.FORWARD: lambda x: 1e6 + 1e5 * x,
    Phase.BACKWARD: lambda x: 2e6 + 2.2e5 * x,
    Phase.OPTIMIZER: lambda x: 5e5 + 0 * x,
    Phase.OTHER: lambda x: 2e4 + 0 * x,
}
PIPELINE = {
    Phase.FORWARD: lambda x: 2e7 + 0 * x,
    Phase.INPUT_PRODUCE: lambda x: 5e4 * x,
    Phase.INPUT_WAIT: lambda x: 1e4 + 0 * x,
}


def analysis_of(synthetic, records, *, ceilings=True):
    own = [synthetic.ceilings()] if ceilings else []
    return analyze("sweep", records, own, [], len(records), find_workload=lambda name: synthetic.workload)


def summaries_of(synthetic, records):
    return [summarize(record, record.result.steps, synthetic.workload, None) for record in records]


def trend_of(synthetic, truth, sizes=SIZES, seed=1, **noise):
    records = synthetic.sweep(truth, sizes, np.random.default_rng(seed), **noise)
    return analysis_of(synthetic, records).trends[0]


def check(trend, name):
    return next(one for one in trend.checks if one.name == name)


@pytest.mark.parametrize("common", [0.0, 0.03])
def test_composed_steps_are_foreseen_as_often_as_stated(synthetic, common):
    """Also where whole runs differ by more than the steps inside any of them tell."""
    generator = np.random.default_rng(41)
    hits = {"inside": [], "x2": []}
    for draw in range(100):
        sizes = SIZES[: 4 + draw % 3]
        records = synthetic.sweep(OFFSET_AND_WORK, sizes, generator, count=12, sigma=0.03, common=common)
        points = summaries_of(synthetic, records)
        targets = np.array([1.4 * sizes[1], 2.0 * sizes[-1]])
        truth = sum(law(targets) for law in OFFSET_AND_WORK.values())
        fresh = truth * np.exp(np.hypot(common, 0.01) * generator.standard_normal(2))
        composition = compose(points, [float(size) for size in sizes])
        found = intervals(predict_step(composition, targets), len(sizes))
        inside = [bound.low <= value <= bound.high for bound, value in zip(found, fresh, strict=True)]
        hits["inside"].append(inside[0])
        hits["x2"].append(inside[1])
    rates = {name: float(np.mean(found)) for name, found in hits.items()}
    assert rates["inside"] >= 0.85, rates
    assert rates["x2"] >= 0.85, rates


def test_a_trend_holds_points_in_order_with_laws_and_curves(synthetic):
    records = synthetic.sweep(OFFSET_AND_WORK, SIZES[::-1], np.random.default_rng(2))
    trend = analysis_of(synthetic, records).trends[0]
    assert trend.axis == "data"
    assert trend.sizes == SIZES
    assert trend.labels[0] == "8 rows"
    assert "width 64" in trend.fixed
    assert trend.total is not None
    assert {fit.phase for fit in trend.components} == {Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER}
    beyond = [point for point in trend.step_curve if point.is_extrapolated]
    assert beyond
    assert beyond[-1].size == pytest.approx(512)
    assert all(point.size > 256 for point in beyond)
    true_step = sum(law(512) for law in OFFSET_AND_WORK.values())
    assert beyond[-1].interval.low < true_step < beyond[-1].interval.high


def test_the_share_curve_follows_from_the_work_and_the_peak(synthetic):
    trend = trend_of(synthetic, OFFSET_AND_WORK)
    last = trend.share_curve[-1]
    flops = (
        3
        * synthetic.workload.cost(synthetic.point(rows=512).problem, batch_per_rank=2, precision="float32")
        .operations[0]
        .flops
    )
    truth = flops * 1e9 / sum(law(512) for law in OFFSET_AND_WORK.values()) / synthetic.GEMM_PEAK
    assert last.is_extrapolated
    assert last.interval.low < truth < last.interval.high
    measured = [share.value for share in trend.share_of_peak]
    assert measured == sorted(measured)


def test_every_check_of_a_clean_trend_passes(synthetic):
    trend = trend_of(synthetic, OFFSET_AND_WORK, seed=3)
    failed = [one for one in trend.checks if one.passed is False]
    assert not failed
    assert all(one.statement.endswith(".") for one in trend.checks)


def test_input_that_falls_behind_beyond_the_range_is_foreseen_from_its_hidden_time(synthetic):
    trend = trend_of(synthetic, PIPELINE)
    assert trend.step_curve[-1].interval.low < 2.56e7 < trend.step_curve[-1].interval.high
    crossing = check(trend, "input keeps up")
    assert crossing.passed is False
    assert "from about size 4" in crossing.statement or "from about size 3" in crossing.statement
    assert check(trend, "phases and whole step agree").passed is False


def test_input_that_keeps_up_within_twice_the_range_passes(synthetic):
    slower = {**PIPELINE, Phase.INPUT_PRODUCE: lambda x: 2e4 * x}
    assert check(trend_of(synthetic, slower), "input keeps up").passed is True
    idle = {**PIPELINE, Phase.INPUT_PRODUCE: lambda x: 2e3 * x}
    assert "up to size 2.05" in check(trend_of(synthetic, idle), "input keeps up").statement


def test_waits_that_production_does_not_explain_get_a_law_of_their_own(synthetic):
    odd = {**PIPELINE, Phase.INPUT_WAIT: lambda x: 2e7 + 0 * x}
    trend = trend_of(synthetic, odd)
    assert Phase.INPUT_WAIT in {fit.phase for fit in trend.components}
    assert check(trend, "input keeps up").passed is None


def test_a_falling_step_is_called_odd(synthetic):
    falling = {Phase.FORWARD: lambda x: 9e6 / x}
    assert check(trend_of(synthetic, falling), "step grows with size").passed is False


def test_a_step_that_falls_little_by_little_is_called_odd(synthetic):
    """Each next point lies within the interval of the one before, the last one below the first."""
    slow = {Phase.FORWARD: lambda x: 1e7 * x**-0.02}
    found = check(trend_of(synthetic, slow), "step grows with size")
    assert found.passed is False


def test_a_largest_point_that_breaks_the_law_fails_its_check(synthetic):
    broken = {Phase.FORWARD: lambda x: 1e5 * x * (3 if x > 200 else 1)}
    assert check(trend_of(synthetic, broken), "largest point held out").passed is False


def test_two_points_give_a_wide_curve_and_say_why(synthetic):
    trend = trend_of(synthetic, OFFSET_AND_WORK, SIZES[:2])
    assert check(trend, "enough points").passed is None
    assert check(trend, "largest point held out").passed is None
    assert trend.step_curve[-1].interval.relative_width > 0.1


def test_two_far_points_do_not_identify_a_law(synthetic):
    steep = {Phase.FORWARD: lambda x: 1e6 + 100 * x**2}
    trend = trend_of(synthetic, steep, (8, 64))
    assert check(trend, "laws agree").passed is False


def test_a_held_out_point_out_of_reach_leaves_the_law_untested(synthetic):
    assert check(trend_of(synthetic, OFFSET_AND_WORK, (8, 16, 1024)), "largest point held out").passed is None


def test_a_step_faster_than_the_peak_fails_its_check(synthetic):
    fast = {Phase.FORWARD: lambda x: 10 * x}
    assert check(trend_of(synthetic, fast), "below the measured peak").passed is False


def test_without_ceilings_there_is_no_share_curve(synthetic):
    records = synthetic.sweep(OFFSET_AND_WORK, SIZES, np.random.default_rng(4))
    trend = analysis_of(synthetic, records, ceilings=False).trends[0]
    assert trend.share_curve == ()
    assert check(trend, "below the measured peak").passed is None


def test_each_setting_of_the_other_axis_has_its_own_trend(synthetic):
    generator = np.random.default_rng(5)
    records = [
        synthetic.record(
            synthetic.point(rows=rows, width=width),
            synthetic.steps({Phase.FORWARD: 1e4 * rows * width}, generator),
        )
        for rows in (8, 16, 32)
        for width in (64, 128)
    ]
    records.append(
        synthetic.record(synthetic.point(rows=8, width=256), synthetic.steps({Phase.FORWARD: 2e7}, generator))
    )
    trends = analysis_of(synthetic, records).trends
    assert [(trend.axis, len(trend.sizes)) for trend in trends] == [
        ("data", 3),
        ("data", 3),
        ("data", 1),
        ("model", 3),
        ("model", 2),
        ("model", 2),
    ]
    lonely = trends[2]
    assert lonely.total is None
    assert lonely.step_curve == ()
    assert check(lonely, "enough points").passed is False


def test_rungs_of_one_size_are_repeats_of_it(synthetic):
    generator = np.random.default_rng(6)
    records = [
        synthetic.record(
            synthetic.point(rows=rows, batch_per_rank=2),
            synthetic.steps({Phase.FORWARD: 1e5 * rows}, generator),
        )
        for rows in (8, 16)
    ]
    points = summaries_of(synthetic, records)
    alike = [replace(point, axis_sizes={"data": 8.0, "model": 64.0}) for point in points]
    (trend,) = find_trends(alike, synthetic.workload.axes, [])
    assert trend.total is None
    assert len(trend.sizes) == 2
    assert "share a size" not in check(trend, "enough points").statement
    third = synthetic.record(synthetic.point(rows=32), synthetic.steps({Phase.FORWARD: 32e5}, generator))
    (trend,) = find_trends([*alike, *summaries_of(synthetic, [third])], synthetic.workload.axes, [])
    assert "1 of the points share a size" in check(trend, "enough points").statement


def test_phases_that_were_not_recorded_get_no_law(synthetic):
    points = summaries_of(synthetic, synthetic.sweep(OFFSET_AND_WORK, (8, 16), np.random.default_rng(7)))
    bare = [
        replace(point, phases_ns={p: d for p, d in point.phases_ns.items() if p is not Phase.INPUT_PRODUCE})
        for point in points
    ]
    (trend,) = find_trends(bare, synthetic.workload.axes, [])
    assert Phase.INPUT_PRODUCE not in {fit.phase for fit in trend.components}
    assert check(trend, "input keeps up").passed is None


def test_a_technique_that_is_switched_makes_a_trend_of_its_own(synthetic):
    generator = np.random.default_rng(5)
    points = [
        replace(
            summarize(record, record.result.steps, synthetic.workload, None),
            techniques={"padding": "left out" if number % 2 else "worked on"},
        )
        for number, record in enumerate(
            synthetic.sweep({Phase.FORWARD: lambda size: 1e6 * size}, (8, 16, 32, 64, 128, 256), generator)
        )
    ]
    trends = [trend for trend in find_trends(points, synthetic.workload.axes, ()) if trend.axis == "data"]
    assert sorted(trend.sizes for trend in trends) == [(8, 32, 128), (16, 64, 256)]
    assert {"padding left out" in trend.fixed for trend in trends} == {True, False}


def test_points_with_other_supplies_are_never_on_one_trend(synthetic):
    records = synthetic.sweep(OFFSET_AND_WORK, SIZES, np.random.default_rng(1))
    made = [
        replace(record, point=replace(record.point, supply=Supply(input="synthetic"))) for record in records
    ]
    trends = analysis_of(synthetic, [*records, *made]).trends
    assert len(trends) == 2
    assert all(len(trend.sizes) == len(SIZES) for trend in trends)
    assert sum("input synthetic" in trend.fixed for trend in trends) == 1
    points = summaries_of(synthetic, made)
    assert {point.techniques["input"] for point in points} == {"synthetic"}
    assert {point.input_bytes for point in points} == {0}
