import numpy as np
import pytest

from saih.analyzer.propagation import geometric_mean, log_deviation, quotient
from saih.analyzer.summary import summarize
from saih.domain.interval import Interval
from saih.domain.record import Phase

TYPICAL = {Phase.INPUT_WAIT: 1e5, Phase.FORWARD: 2e6, Phase.BACKWARD: 4e6, Phase.OTHER: 2e5}


def summaries(synthetic, num_runs, **noise):
    generator = np.random.default_rng(5)
    for _ in range(num_runs):
        measured = synthetic.steps(TYPICAL, generator, **noise)
        yield summarize(
            synthetic.record(synthetic.point(), measured), measured, synthetic.workload, synthetic.ceilings()
        )


@pytest.mark.slow
def test_medians_of_steps_and_phases_lie_in_their_intervals_as_often_as_stated(synthetic):
    hits = {"step": [], "forward": [], "backward": []}
    for summary in summaries(synthetic, 200, sigma=0.05, count=40, correlation=0.4):
        hits["forward"].append(summary.phases_ns[Phase.FORWARD])
        hits["backward"].append(summary.phases_ns[Phase.BACKWARD])
        hits["step"].append(summary.step_ns)
    generator = np.random.default_rng(6)
    long = synthetic.steps(TYPICAL, generator, sigma=0.05, count=200_000)
    truths = {"step": np.median(long.slowest_ns), "forward": 2e6, "backward": 4e6}
    for name, found in hits.items():
        covered = np.mean([interval.low <= truths[name] <= interval.high for interval in found])
        assert covered >= 0.93, f"{name}: 95 % interval covers {covered:.3f}"


def test_the_share_of_peak_carries_both_uncertainties(synthetic):
    generator = np.random.default_rng(7)
    hits = []
    for summary in summaries(synthetic, 200, sigma=0.05, count=40):
        true_peak = synthetic.GEMM_PEAK * np.exp(0.02 / 1.96 * generator.standard_normal())
        truth = summary.flops_per_step * 1e9 / sum(TYPICAL.values()) / true_peak
        hits.append(summary.share_of_peak.low <= truth <= summary.share_of_peak.high)
    assert np.mean(hits) >= 0.93, f"share of peak: 95 % interval covers {np.mean(hits):.3f}"


def test_rates_follow_from_the_step_and_count_every_rank(synthetic):
    generator = np.random.default_rng(8)
    measured = synthetic.steps(TYPICAL, generator, ranks=2)
    summary = summarize(
        synthetic.record(synthetic.point(ranks=2), measured), measured, synthetic.workload, None
    )
    cost = synthetic.workload.cost(summary.point.problem, batch_per_rank=2, precision="float32")
    assert summary.flops_per_step == 2 * cost.flops
    assert summary.flops_per_s.value == pytest.approx(2 * cost.flops / summary.step_ns.value * 1e9)
    assert summary.samples_per_s.value == pytest.approx(4 / summary.step_ns.value * 1e9)
    assert summary.share_of_peak is None
    assert summary.share_of_vendor_peak is None


def test_the_vendor_peak_is_named_beside_the_measured_one(synthetic):
    summary = next(summaries(synthetic, 1))
    assert summary.share_of_vendor_peak.value == pytest.approx(summary.flops_per_s.value / 200e9)
    assert summary.share_of_peak.value == pytest.approx(summary.flops_per_s.value / synthetic.GEMM_PEAK)
    assert summary.labels == {"data": "8 rows", "model": "width 64"}
    assert summary.loss.is_learning


def test_phases_are_those_of_the_rank_that_decides_the_step(synthetic):
    generator = np.random.default_rng(9)
    slow = synthetic.steps({Phase.FORWARD: 9e6}, generator)
    fast = synthetic.steps({Phase.FORWARD: 1e6, Phase.COMMUNICATION: 7e6}, generator)
    both = type(slow)(
        duration_ns={phase: slow.duration_ns[phase] + fast.duration_ns[phase] for phase in slow.duration_ns},
        step_ns=slow.step_ns + fast.step_ns,
        losses=slow.losses,
        warmup_steps=3,
    )
    summary = summarize(synthetic.record(synthetic.point(ranks=2), both), both, synthetic.workload, None)
    assert summary.phases_ns[Phase.FORWARD].value > 8e6
    assert summary.phases_ns[Phase.COMMUNICATION].value == 0


def interval(low, value, high, level=0.95):
    return Interval(low=low, value=value, high=high, level=level, count=9)


def test_a_quotient_of_exact_numbers_is_exact_and_skew_stays():
    assert quotient(interval(2, 2, 2), interval(4, 4, 4)).high == 0.5
    skewed = quotient(interval(1, 2, 2), interval(4, 4, 4))
    assert skewed.low == pytest.approx(0.25)
    assert skewed.high == 0.5


def test_a_quotient_brings_both_parts_to_one_level():
    wide = quotient(interval(10, 10, 10), interval(9, 10, 11, level=0.99))
    assert 0.93 < wide.low < 0.94


def test_a_quotient_by_zero_is_refused():
    with pytest.raises(ValueError, match="positive"):
        quotient(interval(1, 1, 1), interval(0, 1, 2))


def test_the_geometric_mean_of_many_is_narrower_than_one():
    one = interval(0.9, 1.0, 1.1)
    mean = geometric_mean([one] * 4)
    assert mean.value == pytest.approx(1)
    assert log_deviation(mean) == pytest.approx(log_deviation(one) / 2)
    assert geometric_mean([]) is None
