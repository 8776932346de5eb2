from dataclasses import replace

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.analyzer.analysis import analyze
from saih.domain.errors import UsageError
from saih.domain.record import Environment, Outcome, Phase
from saih.domain.sweep import DroppedPoint

TYPICAL = {Phase.FORWARD: 2e6, Phase.BACKWARD: 4e6, Phase.OTHER: 1e5}


def analyzed(synthetic, records, *, ceilings=(), num_planned=None, dropped=()):
    return analyze(
        "sweep",
        records,
        ceilings or [synthetic.ceilings()],
        dropped,
        num_planned if num_planned is not None else len({record.point for record in records}),
        find_workload=lambda name: synthetic.workload,
    )


@pytest.fixture
def measured(synthetic):
    return synthetic.steps(TYPICAL, np.random.default_rng(1))


def damaged(steps, phase, rank, step, value):
    """The steps with one duration replaced, the whole step unchanged."""
    rows = [list(row) for row in steps.duration_ns[phase]]
    rows[rank][step] = value
    return replace(steps, duration_ns={**steps.duration_ns, phase: tuple(map(tuple, rows))})


def test_the_first_completed_attempt_counts(synthetic, measured):
    point = synthetic.point()
    later = synthetic.steps({Phase.FORWARD: 9e6}, np.random.default_rng(2))
    records = [
        synthetic.record(point, later, attempt=3),
        synthetic.record(point, measured, attempt=2),
        synthetic.record(point, None, attempt=1, outcome=Outcome.LOST, reason="node down"),
    ]
    analysis = analyzed(synthetic, records)
    assert [summary.record_id for summary in analysis.points] == [f"{point.point_id}/attempt-2"]
    assert not analysis.failed
    assert not analysis.warnings


def test_a_point_without_a_completed_attempt_has_failed_with_its_last_reason(synthetic):
    point = synthetic.point()
    records = [
        synthetic.record(point, None, attempt=1, outcome=Outcome.TIMED_OUT, reason="slow"),
        synthetic.record(point, None, attempt=2, outcome=Outcome.OUT_OF_MEMORY, reason="rank 0 was killed"),
    ]
    (failed,) = analyzed(synthetic, records).failed
    assert (failed.outcome, failed.reason, failed.num_attempts) == (
        Outcome.OUT_OF_MEMORY,
        "rank 0 was killed",
        2,
    )


def test_mixed_environments_are_refused_with_the_facts_that_differ(synthetic, measured):
    other = Environment(facts={"cpu_model": "Test 2", "torch": "2.13"}, notes={}, environment_id="env-2")
    records = [
        synthetic.record(synthetic.point(rows=8), measured),
        synthetic.record(synthetic.point(rows=9), measured, environment=other),
    ]
    with pytest.raises(UsageError, match=r"cpu_model \(Test 1 / Test 2\)") as caught:
        analyzed(synthetic, records)
    assert "torch" not in caught.value.problem


def test_no_records_or_records_of_another_sweep_are_refused(synthetic, measured):
    with pytest.raises(UsageError, match="no records"):
        analyzed(synthetic, [])
    with pytest.raises(UsageError, match="records of sweep other"):
        analyzed(synthetic, [replace(synthetic.record(synthetic.point(), measured), sweep_name="other")])


@pytest.mark.parametrize("same", [True, False])
def test_a_record_that_is_there_twice_is_named_and_counted_once(synthetic, measured, same):
    first = synthetic.record(synthetic.point(), measured)
    second = replace(first, finished_utc=first.finished_utc if same else "2025-01-02T00:00:00Z")
    analysis = analyzed(synthetic, [first, second])
    assert len(analysis.points) == 1
    assert f"twice with {'the same' if same else 'different'} content" in analysis.warnings[0]


def refused(synthetic, steps, **changes):
    analysis = analyzed(synthetic, [synthetic.record(synthetic.point(**changes), steps)])
    assert not analysis.points
    assert "is refused" in analysis.warnings[0]
    (failed,) = analysis.failed
    assert failed.outcome is Outcome.FAILED
    return failed.reason


def test_negative_and_zero_durations_refuse_the_point(synthetic, measured):
    negative = damaged(measured, Phase.FORWARD, 0, 4, -5)
    assert "forward lasts -5 ns at step 4 on rank 0" in refused(synthetic, negative)
    row = list(measured.step_ns[0])
    row[2] = 0
    assert "the step lasts 0 ns at step 2" in refused(synthetic, replace(measured, step_ns=(tuple(row),)))


def test_phases_that_do_not_sum_to_the_step_refuse_the_point(synthetic, measured):
    double = damaged(measured, Phase.BACKWARD, 0, 7, 2 * measured.duration_ns[Phase.BACKWARD][0][7])
    assert "the phases of step 7 on rank 0 sum to" in refused(synthetic, double)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_refuses_the_point(synthetic, measured, value):
    losses = (*measured.losses[:5], value, *measured.losses[6:])
    assert "loss at step 5" in refused(synthetic, replace(measured, losses=losses))


def test_missing_steps_ranks_and_phases_refuse_the_point(synthetic, measured):
    assert "no measured step" in refused(synthetic, None)
    assert "no measured step" in refused(synthetic, replace(measured, step_ns=((),)))
    assert "the placement has 2 ranks" in refused(synthetic, measured, ranks=2)
    fewer = {phase: rows for phase, rows in measured.duration_ns.items() if phase is not Phase.OTHER}
    assert "other are missing" in refused(synthetic, replace(measured, duration_ns=fewer))
    ragged = replace(measured, step_ns=(measured.step_ns[0], measured.step_ns[0][:5]))
    assert "ranks with [5, 30] steps" in refused(synthetic, ragged, ranks=2)


def test_a_single_step_has_no_interval_and_is_refused(synthetic):
    lone = synthetic.steps(TYPICAL, np.random.default_rng(3), count=1)
    assert "only one step was measured" in refused(synthetic, lone)


def test_a_rate_above_the_ceiling_and_few_steps_are_said(synthetic):
    quick = synthetic.steps({Phase.FORWARD: 100.0}, np.random.default_rng(3), count=5)
    analysis = analyzed(synthetic, [synthetic.record(synthetic.point(), quick)])
    assert len(analysis.points) == 1
    assert "only 5 steps" in analysis.warnings[0]
    assert "above the measured ceiling" in analysis.warnings[1]


def test_foreign_double_and_missing_ceilings_are_said(synthetic, measured):
    own = synthetic.ceilings()
    records = [synthetic.record(synthetic.point(), measured)]
    analysis = analyzed(synthetic, records, ceilings=[replace(own, environment_id="env-9"), own, own])
    assert analysis.ceilings == (own,)
    assert "env-9" in analysis.warnings[0]
    assert "twice" in analysis.warnings[1]
    analysis = analyzed(synthetic, records, ceilings=[synthetic.ceilings(label="elsewhere")])
    label = analysis.points[0].point.placement.label
    (warning,) = analysis.warnings
    assert warning.startswith(f"1 point on {label}: no ceilings were measured for this placement")
    assert analysis.points[0].share_of_peak is None


def test_points_that_never_ran_are_counted_and_dropped_ones_kept(synthetic, measured):
    dropped = (
        DroppedPoint(point=synthetic.point(rows=99), labels={"data": "99 rows"}, reason="does not fit"),
    )
    records = [synthetic.record(synthetic.point(), measured)]
    analysis = analyzed(synthetic, records, num_planned=4, dropped=dropped)
    assert analysis.dropped == dropped
    assert analysis.warnings == ("3 of 4 planned points have no usable record yet.",)
    assert analysis.trends == ()


def test_the_catalog_supplies_real_workloads(synthetic, measured):
    problem = Problem(data=Shape.of(samples=64, resolution=32, channels=4), model=Shape.of(depth=1, width=16))
    point = synthetic.point(workload="cosmoflow", problem=problem)
    analysis = analyze("sweep", [synthetic.record(point, measured)], [synthetic.ceilings()], [], 1)
    (summary,) = analysis.points
    assert summary.labels["model"] == "width 16, depth 1"
    assert sum(share.value for share in summary.diagnosis.shares.values()) == pytest.approx(1)


def test_a_record_from_before_a_drift_is_held_against_the_ceilings_of_its_time(synthetic, measured):
    older = synthetic.ceilings()
    slower = tuple(
        replace(curve, rates=tuple(rate.scaled(0.5) for rate in curve.rates)) for curve in older.curves
    )
    newer = replace(older, curves=slower, measured_utc="2025-03-01T00:00:00+00:00")
    drifted = newer.after(older, has_drifted=True, reason="drifted")
    before = synthetic.record(synthetic.point(), measured)
    after = replace(before, finished_utc="2025-04-01T00:00:00Z")
    (alone,), (early,), (late,) = (
        analyzed(synthetic, [record], ceilings=[ceilings]).points
        for record, ceilings in ((before, older), (before, drifted), (after, drifted))
    )
    assert early.share_of_peak == alone.share_of_peak
    assert late.share_of_peak.value == pytest.approx(2 * alone.share_of_peak.value)
    (warning,) = analyzed(synthetic, [before], ceilings=[drifted]).warnings
    assert "before the machine drifted" in warning
    assert older.measured_utc in warning
