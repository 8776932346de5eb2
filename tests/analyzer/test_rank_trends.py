from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.analysis import analyze
from saih.analyzer.terms import EXCHANGE, OWN_WORK, SHARED_WORK, evaluate
from saih.domain.record import Phase
from saih.domain.scaling import RankLadder

RANKS = (1, 2, 4, 8, 16)
RING = {
    Phase.FORWARD: lambda ranks, batch: 1e5 * batch + 2e5,
    Phase.BACKWARD: lambda ranks, batch: 2e5 * batch,
    Phase.COMMUNICATION: lambda ranks, batch: 3e5 * (1 - 1 / ranks) + 2e4 * (ranks - 1),
    Phase.COMMUNICATION_TOTAL: lambda ranks, batch: 9e5 * (1 - 1 / ranks) + 6e4 * (ranks - 1),
    Phase.OTHER: lambda ranks, batch: 1e5,
}


def trend_of(synthetic, truth, kind="strong", ranks=RANKS, seed=1, **settings):
    ladder = RankLadder(scaling=kind, ranks=ranks)
    records = synthetic.rank_sweep(truth, ladder, np.random.default_rng(seed), **settings)
    analysis = analyze(
        "sweep",
        records,
        synthetic.placed_ceilings(records),
        [],
        len(records),
        rank_ladder=ladder,
        find_workload=lambda name: synthetic.workload,
    )
    (trend,) = analysis.trends
    return trend


def check(trend, name):
    return next(one for one in trend.checks if one.name == name)


def step_of(truth, ranks, batch):
    hidden = (Phase.COMMUNICATION_TOTAL, Phase.INPUT_PRODUCE)
    return sum(law(ranks, batch) for phase, law in truth.items() if phase not in hidden)


@pytest.mark.parametrize("kind", ["strong", "weak"])
def test_twice_the_ranks_are_foreseen_as_often_as_stated(synthetic, kind):
    hits = []
    for seed in range(40):
        trend = trend_of(synthetic, RING, kind, seed=seed, count=12, sigma=0.01)
        last = trend.step_curve[-1]
        assert (last.size, last.is_extrapolated) == (32.0, True)
        truth = step_of(RING, 32, 2 if kind == "strong" else 64)
        fresh = truth * np.exp(0.01 * np.random.default_rng(1000 + seed).standard_normal())
        hits.append(last.interval.low <= fresh <= last.interval.high)
    assert np.mean(hits) >= 0.85, np.mean(hits)


def test_phases_along_ranks_have_laws_of_their_own_kind(synthetic):
    trend = trend_of(synthetic, RING, sigma=0.0)
    laws = {fit.phase: fit.terms for fit in trend.components}
    assert (trend.axis, trend.size_label) == ("ranks", "ranks")
    assert trend.labels == ("1 rank", "2 ranks", "4 ranks", "8 ranks", "16 ranks")
    assert laws[Phase.BACKWARD] == ("x^-1",)
    assert set(laws[Phase.FORWARD]) == {"1", "x^-1"}
    assert set(laws[Phase.COMMUNICATION]) == {"1 - 1/x", "x - 1"}
    assert "global batch 64" in trend.fixed
    assert "exchange ddp" in trend.fixed


def test_curves_are_drawn_at_whole_ranks_and_meet_every_measured_step(synthetic):
    trend = trend_of(synthetic, RING, sigma=0.0)
    assert all(point.size == round(point.size) for point in trend.step_curve)
    fitted = {point.size: point.interval.value for point in trend.step_curve}
    measured = dict(zip(trend.sizes, trend.step_ns, strict=True))
    assert all(fitted[size] == pytest.approx(step.value, rel=0.02) for size, step in measured.items())


def test_strong_scaling_ends_where_every_rank_has_one_sample(synthetic):
    trend = trend_of(synthetic, RING, batch=16)
    assert trend.step_curve[-1].size == 16
    assert not any(point.is_extrapolated for point in trend.step_curve)
    assert "more ranks than the global batch has samples" in check(trend, "extrapolation factor").statement
    assert all("32 ranks" not in one.statement for one in trend.checks if one.name != "input keeps up")


def test_no_share_of_peak_is_foreseen_at_placements_without_ceilings(synthetic):
    trend = trend_of(synthetic, RING)
    assert trend.share_curve == ()
    assert all(share is not None for share in trend.share_of_peak)
    assert check(trend, "below the measured peak").passed is True


def test_an_exchange_measured_once_has_no_law(synthetic):
    costly = {**RING, Phase.COMMUNICATION: lambda ranks, batch: 5e6 * (ranks > 1)}
    trend = trend_of(synthetic, costly, ranks=(1, 2))
    assert trend.total is None
    assert trend.step_curve == ()
    assert "only one of them exchanges" in check(trend, "enough points").statement
    silent = {phase: law for phase, law in RING.items() if "communication" not in phase}
    assert trend_of(synthetic, silent, ranks=(1, 2)).total is not None


def test_a_line_that_begins_at_several_ranks_has_laws_too(synthetic):
    trend = trend_of(synthetic, RING, ranks=(4, 8, 16, 32), batch=16)
    assert trend.sizes == (4.0, 8.0, 16.0, 32.0)
    assert trend.total is not None


def test_more_than_ideal_speed_is_odd(synthetic):
    cached = {Phase.FORWARD: lambda ranks, batch: 1e5 * batch * (0.5 if ranks > 2 else 1)}
    odd = check(trend_of(synthetic, cached), "speed-up at most ideal")
    assert odd.passed is False
    assert "From 1 rank to 4" in odd.statement
    assert check(trend_of(synthetic, RING), "speed-up at most ideal").passed is True


def test_input_that_falls_behind_more_ranks_is_foreseen(synthetic):
    behind = {
        Phase.FORWARD: lambda ranks, batch: 2e7,
        Phase.INPUT_PRODUCE: lambda ranks, batch: 8e5 * ranks,
        Phase.INPUT_WAIT: lambda ranks, batch: 1e4,
    }
    crossing = check(trend_of(synthetic, behind, "weak"), "input keeps up")
    assert crossing.passed is False
    assert crossing.statement.endswith("ranks on.")


@pytest.mark.parametrize("library", [EXCHANGE, OWN_WORK, SHARED_WORK])
def test_terms_are_one_at_the_smallest_number_of_ranks(library):
    sizes = np.array([2.0, 4.0, 8.0])
    for term in library.terms:
        values = evaluate(term, sizes, 2.0)
        assert values[0] == pytest.approx(1)
        assert np.all(values > 0)


def test_a_trend_of_the_problem_keeps_its_laws_beside_one_of_ranks(synthetic):
    generator = np.random.default_rng(9)
    ladder = RankLadder(scaling="weak", ranks=(1, 2))
    records = [
        one for rows in (8, 16, 32, 64) for one in synthetic.rank_sweep(
            {Phase.FORWARD: lambda ranks, batch, rows=rows: 1e5 * rows}, ladder, generator, rows=rows
        )
    ]  # fmt: skip
    analysis = analyze(
        "sweep", records, [], [], 8, rank_ladder=ladder, find_workload=lambda name: synthetic.workload
    )
    along = [(trend.axis, len(trend.sizes)) for trend in analysis.trends]
    assert along == [("data", 4), ("data", 4), *[("ranks", 2)] * 4]
    assert [line.rungs[0].record_id for line in analysis.scaling] == [
        trend.record_ids[0] for trend in analysis.trends[2:]
    ]
    alone = analyze(
        "sweep",
        [one for one in records if one.point.placement.num_ranks == 1],
        [],
        [],
        4,
        find_workload=lambda name: synthetic.workload,
    )
    (trend,) = alone.trends
    beside = analysis.trends[0]
    assert trend == replace(beside, record_ids=trend.record_ids, step_curve=trend.step_curve)
    bounds = [
        [(one.interval.low, one.interval.high) for one in found.step_curve] for found in (trend, beside)
    ]
    assert np.array(bounds[0]) == pytest.approx(np.array(bounds[1]), rel=1e-12)
