"""Synthetic windows with known effects: what is verified, refuted, undecided, contended."""

from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.analysis import analyze
from saih.analyzer.summary import summarize
from saih.analyzer.verification import verify, with_verifications
from saih.analyzer.verification_effect import predicted_ns
from saih.analyzer.verification_statistics import (
    block_means,
    ratio_interval,
    shift_interval,
    sign_flip_p,
    slope_interval,
    typical_ns,
)
from saih.domain.interval import Interval
from saih.domain.record import Phase
from saih.domain.trend import Diagnosis
from saih.domain.verdict import Limit
from saih.domain.verification import (
    FULL,
    LOADS,
    CpuContention,
    Intervention,
    Pair,
    Toggle,
    ToggleRun,
    Trial,
)

EXCHANGING = {Phase.FORWARD: 3e6, Phase.BACKWARD: 5e6, Phase.COMMUNICATION: 4e6, Phase.INPUT_PRODUCE: 1e6}
WAITING = {Phase.FORWARD: 2e6, Phase.BACKWARD: 3e6, Phase.INPUT_WAIT: 5e6, Phase.INPUT_PRODUCE: 1e7}
COMPUTING = {Phase.FORWARD: 4e6, Phase.BACKWARD: 8e6, Phase.INPUT_PRODUCE: 1e6}
QUIET = CpuContention(cpu_some=0.01, sigma=1.01)


def trial(steps, effects, *, noise=0.01, num_pairs=7, seed=3, contention=QUIET, scale=1.0):
    """Windows in which each intervention moves the typical step of ``steps`` by its effect [ns]."""
    generator = np.random.default_rng(seed)
    typical = typical_ns(steps.slowest_ns) * scale

    def window(shift):
        level = (typical + shift) * np.exp(noise * generator.standard_normal())
        return tuple(int(step) for step in level * np.exp(0.02 * generator.standard_normal(24)))

    runs = []
    for (intervention, dose), shift in effects.items():
        count = 3 if intervention in LOADS else num_pairs
        pairs = tuple(
            Pair(off_ns=window(0.0), on_ns=window(shift), is_on_first=bool(pair % 2), took_ns=float(dose))
            for pair in range(count)
        )
        toggle = Toggle(intervention=intervention, dose_ns=int(dose))
        runs.append(ToggleRun(toggle=toggle, pairs=pairs))
    return Trial(
        record_id="p/attempt-1",
        environment_id="env-1",
        plan=FULL,
        seed=1,
        runs=tuple(runs),
        off_phases_ns={},
        contention=contention,
        finished_utc="2026-01-01T00:00:00+00:00",
    )


def scene(synthetic, typical, limit, *, ranks=2, shares=None, is_contended=False):
    """A point with such phases and such a verdict."""
    steps = synthetic.steps(typical, np.random.default_rng(1), ranks=ranks, sigma=0.005, count=60)
    record = synthetic.record(synthetic.point(ranks=ranks), steps)
    summary = summarize(record, steps, synthetic.workload, None)
    known = {one: Interval(low=x, value=x, high=x, level=0.95, count=9) for one, x in (shares or {}).items()}
    told = Diagnosis(limit=limit, runner_up=None, shares=known, evidence=(), is_contended=is_contended)
    return replace(summary, diagnosis=told), steps


def effects(steps, load, factor=1.0, removal=None, doses=(2e6, 4e6, 8e6)):
    """A sham, a removal, and three doses, of which each moves the step ``factor`` times as predicted."""
    asked = [(Intervention.SHAM, 0), *([(removal, 0)] if removal else []), *((load, dose) for dose in doses)]
    found = {}
    for one, dose in asked:
        toggle = Toggle(intervention=one, dose_ns=int(dose))
        found[one, dose] = factor * predicted_ns(steps, toggle, dose).value
    return found


def test_a_step_that_moves_as_predicted_verifies_the_exchange(synthetic):
    summary, steps = scene(synthetic, EXCHANGING, Limit.INTERCONNECT)
    moves = effects(steps, Intervention.THROTTLED_EXCHANGE, removal=Intervention.NO_EXCHANGE)
    assert moves[Intervention.NO_EXCHANGE, 0] == pytest.approx(-4e6, rel=0.03)
    (found,) = verify(summary, steps, trial(steps, moves))
    assert found.status == "verified"
    assert found.statement.startswith("verified: without exchange the step took 3")
    assert found.ratio.low <= 1 <= found.ratio.high
    assert found.slope.low <= 1 <= found.slope.high
    assert found.p_value == 2 / 2**7
    assert len(found.doses) == 3
    assert (found.more_pairs, found.record_id) == (0, summary.record_id)


def test_a_step_that_keeps_its_length_refutes_the_exchange(synthetic):
    summary, steps = scene(synthetic, EXCHANGING, Limit.INTERCONNECT)
    moves = effects(steps, Intervention.THROTTLED_EXCHANGE, removal=Intervention.NO_EXCHANGE)
    (found,) = verify(summary, steps, trial(steps, {**moves, (Intervention.NO_EXCHANGE, 0): 0.0}))
    assert found.status == "refuted"
    assert found.ratio.high < 0.8


def test_so_few_pairs_that_no_interval_has_its_level_refute_nothing(synthetic):
    summary, steps = scene(synthetic, EXCHANGING, Limit.INTERCONNECT)
    moves = {(Intervention.SHAM, 0): 0.0, (Intervention.NO_EXCHANGE, 0): 0.0}
    for num_pairs, status in ((2, "undecided"), (5, "undecided"), (7, "refuted")):
        (found,) = verify(summary, steps, trial(steps, moves, num_pairs=num_pairs))
        assert found.status == status


def test_doses_that_move_too_little_refute_although_the_removal_fits(synthetic):
    summary, steps = scene(synthetic, EXCHANGING, Limit.INTERCONNECT)
    moves = effects(steps, Intervention.THROTTLED_EXCHANGE, 0.3, removal=Intervention.NO_EXCHANGE)
    moves[Intervention.NO_EXCHANGE, 0] /= 0.3
    (found,) = verify(summary, steps, trial(steps, moves))
    assert found.status == "refuted"
    assert found.slope.high < 0.8


def test_input_is_verified_by_dummy_batches_and_by_delays(synthetic):
    summary, steps = scene(synthetic, WAITING, Limit.INPUT)
    moves = effects(steps, Intervention.DELAYED_INPUT, removal=Intervention.DUMMY_INPUT)
    assert moves[Intervention.DUMMY_INPUT, 0] == pytest.approx(-5e6, rel=0.05)
    assert moves[Intervention.DELAYED_INPUT, 4e6] == pytest.approx(4e6, rel=0.1)
    (found,) = verify(summary, steps, trial(steps, moves))
    assert found.status == "verified", found.statement


def test_a_delay_that_the_loader_hides_is_predicted_to_move_nothing(synthetic):
    _, steps = scene(synthetic, COMPUTING, Limit.COMPUTE)
    hidden = predicted_ns(steps, Toggle(intervention=Intervention.DELAYED_INPUT, dose_ns=1), 5e6)
    exposed = predicted_ns(steps, Toggle(intervention=Intervention.DELAYED_INPUT, dose_ns=1), 15e6)
    assert abs(hidden.value) < 1e5
    assert exposed.value == pytest.approx(4e6, rel=0.1)  # 1 ms + 15 ms are made in a step of 12 ms


def test_work_is_verified_by_doses_and_by_what_is_left_without_all_else(synthetic):
    summary, steps = scene(synthetic, COMPUTING, Limit.COMPUTE)
    moves = effects(steps, Intervention.EXTRA_ARITHMETIC, removal=Intervention.COMPUTE_ONLY)
    (found,) = verify(summary, steps, trial(steps, moves))
    assert found.status == "verified", found.statement
    assert "with extra arithmetic the step took" in found.statement
    assert "rest without input and exchange" in found.statement


def test_work_is_refuted_where_little_is_left_without_all_else(synthetic):
    summary, steps = scene(synthetic, COMPUTING, Limit.COMPUTE)
    moves = effects(steps, Intervention.EXTRA_ARITHMETIC, removal=Intervention.COMPUTE_ONLY)
    (found,) = verify(summary, steps, trial(steps, {**moves, (Intervention.COMPUTE_ONLY, 0): -6e6}))
    assert found.status == "refuted", found.statement


def test_a_cause_that_was_not_charged_but_saves_much_is_told(synthetic):
    summary, steps = scene(synthetic, COMPUTING, Limit.UNEXPLAINED)
    moves = {(Intervention.SHAM, 0): 0.0, (Intervention.DUMMY_INPUT, 0): -5e6}
    verdict, input_ = verify(summary, steps, trial(steps, moves))
    assert (verdict.status, verdict.ratio) == ("undecided", None)
    assert (input_.limit, input_.status) == (Limit.INPUT, "refuted")
    assert "charges less" in input_.statement


def test_noise_leaves_it_undecided_and_says_how_many_more_windows(synthetic):
    summary, steps = scene(synthetic, EXCHANGING, Limit.INTERCONNECT)
    moves = effects(steps, Intervention.THROTTLED_EXCHANGE, removal=Intervention.NO_EXCHANGE)
    (found,) = verify(summary, steps, trial(steps, moves, noise=0.3, seed=5))
    assert found.status == "undecided"
    assert found.more_pairs > 0
    assert f"about {found.more_pairs} more pairs" in found.statement


@pytest.mark.parametrize(
    "contention",
    [CpuContention(cpu_some=0.5), CpuContention(sigma=1.5), CpuContention(cpu_some=0.3, sigma=1.1)],
)
def test_contended_cores_leave_verdicts_on_work_open(synthetic, contention):
    summary, steps = scene(synthetic, COMPUTING, Limit.COMPUTE)
    moves = effects(steps, Intervention.EXTRA_ARITHMETIC, removal=Intervention.COMPUTE_ONLY)
    (found,) = verify(summary, steps, trial(steps, moves, contention=contention))
    assert found.status == "contended"


def test_pressure_that_held_up_no_work_leaves_the_verdict_as_it_is(synthetic):
    summary, steps = scene(synthetic, COMPUTING, Limit.COMPUTE)
    moves = effects(steps, Intervention.EXTRA_ARITHMETIC, removal=Intervention.COMPUTE_ONLY)
    (found,) = verify(summary, steps, trial(steps, moves, contention=CpuContention(cpu_some=0.3, sigma=1.01)))
    assert found.status == "verified"


def test_pressure_of_the_own_threads_leaves_the_verdict_as_it_is(synthetic):
    summary, steps = scene(synthetic, COMPUTING, Limit.COMPUTE)
    moves = effects(steps, Intervention.EXTRA_ARITHMETIC, removal=Intervention.COMPUTE_ONLY)
    for others, status in ((0.01, "verified"), (0.2, "contended")):
        found = CpuContention(cpu_some=0.3, sigma=1.1, others=others)
        (tested,) = verify(summary, steps, trial(steps, moves, contention=found))
        assert tested.status == status


def test_contention_does_not_hide_an_exchange_that_moves_as_predicted(synthetic):
    summary, steps = scene(synthetic, EXCHANGING, Limit.INTERCONNECT)
    moves = effects(steps, Intervention.THROTTLED_EXCHANGE, removal=Intervention.NO_EXCHANGE)
    crowded = CpuContention(cpu_some=0.9)
    (found,) = verify(summary, steps, trial(steps, moves, contention=crowded))
    assert found.status == "verified"
    (off,) = verify(
        summary, steps, trial(steps, {**moves, (Intervention.NO_EXCHANGE, 0): 0.0}, contention=crowded)
    )
    assert off.status == "contended"


def test_a_loud_sham_verifies_nothing(synthetic):
    summary, steps = scene(synthetic, EXCHANGING, Limit.INTERCONNECT)
    moves = effects(steps, Intervention.THROTTLED_EXCHANGE, removal=Intervention.NO_EXCHANGE)
    (found,) = verify(summary, steps, trial(steps, {**moves, (Intervention.SHAM, 0): 3e6}))
    assert found.status == "undecided"
    assert "changes nothing moved the step" in found.statement
    del moves[Intervention.SHAM, 0]
    (found,) = verify(summary, steps, trial(steps, moves))
    assert found.status == "undecided"


def test_effects_below_a_tenth_name_nothing(synthetic):
    summary, steps = scene(synthetic, {**EXCHANGING, Phase.COMMUNICATION: 4e5}, Limit.INTERCONNECT)
    moves = effects(steps, Intervention.THROTTLED_EXCHANGE, removal=Intervention.NO_EXCHANGE)
    (found,) = verify(summary, steps, trial(steps, moves, noise=0.001))
    assert found.status == "undecided"
    assert "below 10 %" in found.statement


def test_a_point_that_behaves_otherwise_now_is_not_refuted(synthetic):
    summary, steps = scene(synthetic, EXCHANGING, Limit.INTERCONNECT)
    moves = {(Intervention.SHAM, 0): 0.0, (Intervention.NO_EXCHANGE, 0): 0.0}
    (found,) = verify(summary, steps, trial(steps, moves, scale=2.0))
    assert found.status == "undecided"
    assert "measure this point again" in found.statement
    assert "% more, predicted 33 % less" in found.statement


def test_contention_itself_cannot_be_switched(synthetic):
    summary, steps = scene(synthetic, COMPUTING, Limit.CONTENTION)
    (found,) = verify(summary, steps, trial(steps, {(Intervention.SHAM, 0): 0.0}))
    assert (found.status, found.p_value, found.measured_ns) == ("undecided", None, None)
    assert "cannot be switched from inside" in found.statement


def test_causes_of_a_tenth_are_tested_beside_the_verdict(synthetic):
    shares = {Limit.COMPUTE: 0.6, Limit.INTERCONNECT: 0.33, Limit.INPUT: 0.01, Limit.UNEXPLAINED: 0.2}
    summary, steps = scene(synthetic, EXCHANGING, Limit.MIXED, shares=shares)
    moves = effects(steps, Intervention.THROTTLED_EXCHANGE, removal=Intervention.NO_EXCHANGE)
    found = verify(summary, steps, trial(steps, moves))
    assert [one.limit for one in found] == [Limit.MIXED, Limit.COMPUTE, Limit.INTERCONNECT]
    assert [one.status for one in found] == ["undecided", "undecided", "verified"]


def test_windows_without_a_duration_are_refused_in_words(synthetic):
    records = synthetic.sweep({Phase.FORWARD: lambda size: 1e6}, (8,), np.random.default_rng(1))
    analysis = analyze("sweep", records, [], [], 1, find_workload=lambda name: synthetic.workload)
    (point,) = analysis.points
    pair = Pair(off_ns=(0,) * 12, on_ns=(5,) * 12, is_on_first=False)
    sham = ToggleRun(toggle=Toggle(intervention=Intervention.SHAM), pairs=(pair, pair))
    broken = replace(trial(records[0].result.steps, {}), runs=(sham,))
    told = with_verifications(analysis, records, {point.record_id: broken}).points[0].verifications
    assert [one.status for one in told] == ["undecided"]
    assert "positive finite" in told[0].statement
    assert with_verifications(analysis, records, {}) is analysis


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_false_alarms_of_shams_are_at_most_one_in_twenty(noise):
    generator = np.random.default_rng(15)
    alarms = []
    for _ in range(2000):
        off, on = (1e7 * np.exp(noise * generator.standard_t(3, size=7)) for _ in range(2))
        alarms.append(sign_flip_p(on - off) <= 0.05)
    assert np.mean(alarms) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 2000)


def test_the_interval_of_a_shift_holds_it_as_often_as_it_says():
    generator = np.random.default_rng(12)
    found = [shift_interval(3.0 + generator.standard_t(3, size=7)) for _ in range(1000)]
    assert np.mean([one.low <= 3.0 <= one.high for one in found]) >= 0.93
    assert shift_interval([1.0, 2.0, 3.0]).level == pytest.approx(0.75)


def test_the_interval_of_a_slope_holds_it_as_often_as_it_says():
    generator = np.random.default_rng(13)
    doses = np.repeat([1.0, 2.0, 4.0], 3)
    found = [slope_interval(0.9 * doses + 0.3 * generator.standard_normal(9), doses) for _ in range(1000)]
    assert np.mean([one.low <= 0.9 <= one.high for one in found]) >= 0.93


def test_sign_flips_are_exact_for_few_pairs_and_drawn_for_many():
    assert sign_flip_p([1.0] * 7) == 2 / 128
    assert sign_flip_p([1.0, -1.0]) == 1.0
    generator = np.random.default_rng(14)
    values = generator.standard_normal(14)
    grown = np.append(values, 1e-12)
    assert sign_flip_p(grown) == pytest.approx(sign_flip_p(values), abs=0.02)
    assert sign_flip_p(np.ones(30)) == pytest.approx(1 / 20_001)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [float("inf"), 2.0]])
def test_too_few_or_broken_pairs_are_refused(values):
    with pytest.raises(ValueError, match="two or more finite"):
        sign_flip_p(values)
    with pytest.raises(ValueError, match="two or more finite"):
        shift_interval(values)


@pytest.mark.parametrize("steps", [[], [0, 5], [-1.0], [float("nan")]])
def test_windows_need_positive_steps(steps):
    with pytest.raises(ValueError, match="positive finite"):
        typical_ns(steps)


def test_bursts_count_and_outliers_do_not():
    bursts = [1.0, 1.0, 1.0, 5.0] * 5
    assert typical_ns(bursts) == 2.0
    assert typical_ns([*bursts, 900.0, 1.0, 1.0, 1.0]) == 2.0
    assert len(block_means([1.0, 2.0, 3.0])) == 1


def test_nothing_is_held_against_a_prediction_of_nothing():
    nothing = Interval(low=0.0, value=0.0, high=0.0, level=0.95, count=7)
    with pytest.raises(ValueError, match="no effect is predicted"):
        ratio_interval(nothing, nothing)
    with pytest.raises(ValueError, match="three or more"):
        slope_interval([1.0, 2.0], [0.0, 0.0])
