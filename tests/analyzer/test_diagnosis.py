from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.diagnosis import diagnose
from saih.domain.quantity import NO_BREAK
from saih.domain.record import Phase
from saih.domain.trend import Limit
from workloads.protocol import Cost, Operation, OpKind

MS = 1e6


def operation(kind, phase="forward", *, flops=0, memory_bytes=0, num_kernels=1, channels=8.0):
    return Operation(
        name="3^3 convolution" if kind is OpKind.CONVOLUTION else str(kind),
        phase=phase,
        kind=kind,
        flops=int(flops),
        memory_bytes=int(memory_bytes),
        num_kernels=num_kernels,
        channels=channels,
    )


def cost(*operations, gradient_bytes=1e6):
    return Cost(
        operations=operations,
        num_parameters=1,
        samples_per_step=2,
        gradient_bytes=int(gradient_bytes),
        input_bytes=1,
        dataset_bytes=1,
        peak_memory_bytes=1,
        axis_sizes={},
    )


# Floors on one rank: 8 ms of convolution of 8 channels (14 GFLOP/s), 8 ms of traffic (10 GB/s), 8 ms of
# launches (5 us each).
CONVOLUTIONS = cost(operation(OpKind.CONVOLUTION, flops=8e-3 * 14e9))
TRAFFIC = cost(operation(OpKind.ELEMENTWISE, memory_bytes=8e-3 * 10e9 * 1.0001), gradient_bytes=1e6)
LAUNCHES = cost(operation(OpKind.ELEMENTWISE, num_kernels=1600))
FEW = cost(operation(OpKind.CONVOLUTION, flops=1e-3 * 14e9))
PRODUCTS = cost(operation(OpKind.MATMUL, flops=9e-3 * 150e9, channels=512.0))

CASES = {
    Limit.COMPUTE: (CONVOLUTIONS, {Phase.FORWARD: 10 * MS, Phase.OTHER: 0.5 * MS}, 1),
    Limit.MEMORY: (TRAFFIC, {Phase.FORWARD: 12 * MS, Phase.INPUT_WAIT: 1 * MS}, 1),
    Limit.LAUNCH: (LAUNCHES, {Phase.FORWARD: 11 * MS, Phase.OTHER: 1 * MS}, 1),
    Limit.INTERCONNECT: (FEW, {Phase.FORWARD: 2 * MS, Phase.COMMUNICATION: 6 * MS}, 2),
    Limit.INPUT: (
        FEW,
        {Phase.FORWARD: 2 * MS, Phase.INPUT_WAIT: 7 * MS, Phase.INPUT_PRODUCE: 9 * MS},
        1,
    ),
    Limit.UNEXPLAINED: (FEW, {Phase.FORWARD: 8 * MS, Phase.INPUT_WAIT: 1 * MS}, 1),
    Limit.CEILING: (PRODUCTS, {Phase.FORWARD: 10 * MS}, 1),
    Limit.MIXED: (FEW, {Phase.FORWARD: 1.2 * MS, Phase.INPUT_WAIT: 4 * MS, Phase.COMMUNICATION: 4 * MS}, 2),
}


def alike(steps, ranks):
    """The steps of one rank on several that do the same at the same time."""
    rows = {phase: own * ranks for phase, own in steps.duration_ns.items()}
    return replace(steps, duration_ns=rows, step_ns=steps.step_ns * ranks)


def verdict(synthetic, generator, case, ceilings, **noise):
    costs, typical, ranks = case
    measured = alike(synthetic.steps(typical, generator, **noise), ranks)
    return diagnose(measured, costs, synthetic.point(ranks=ranks), ceilings)


@pytest.mark.parametrize("limit", CASES)
def test_each_manufactured_limit_is_named_right(synthetic, limit):
    generator = np.random.default_rng(21)
    found = [
        verdict(
            synthetic, generator, CASES[limit], synthetic.ceilings(), sigma=0.1, count=25, correlation=0.3
        ).limit
        for _ in range(200)
    ]
    right = np.mean([one is limit for one in found])
    assert right >= 0.95, f"{limit}: named right in {right:.3f}"


def test_equal_causes_are_not_told_apart_by_noise(synthetic):
    generator = np.random.default_rng(22)
    for sigma in (0.05, 0.3):
        found = [
            verdict(synthetic, generator, CASES[Limit.MIXED], synthetic.ceilings(), sigma=sigma).limit
            for _ in range(200)
        ]
        assert np.mean([one is Limit.MIXED for one in found]) >= 0.95


@pytest.mark.parametrize("limit", CASES)
def test_shares_sum_to_one_and_lie_in_their_intervals(synthetic, limit):
    found = verdict(synthetic, np.random.default_rng(23), CASES[limit], synthetic.ceilings())
    assert sum(share.value for share in found.shares.values()) == pytest.approx(1)
    assert found.evidence
    assert all(text.endswith(".") for text in found.evidence)
    assert found.runner_up is not found.limit


def test_the_share_of_a_cause_lies_in_its_interval_as_often_as_stated(synthetic):
    generator = np.random.default_rng(24)
    case = CASES[Limit.INPUT]
    found = [
        verdict(synthetic, generator, case, synthetic.ceilings(), sigma=0.1, count=40).shares[Limit.INPUT]
        for _ in range(200)
    ]
    hits = [share.low <= 7 / 9 <= share.high for share in found]
    assert np.mean(hits) >= 0.9, f"share of input: 95 % interval covers {np.mean(hits):.3f}"


def test_waits_that_come_at_every_third_step_are_seen(synthetic):
    measured = synthetic.steps(CASES[Limit.INPUT][1], np.random.default_rng(25), count=60)
    rare = np.asarray(measured.duration_ns[Phase.INPUT_WAIT]) * 3 * (np.arange(60) % 3 == 0)
    rows = {**measured.duration_ns, Phase.INPUT_WAIT: tuple(map(tuple, rare.tolist()))}
    found = diagnose(replace(measured, duration_ns=rows), FEW, synthetic.point(), synthetic.ceilings())
    assert found.limit is Limit.INPUT


def test_without_ceilings_the_device_time_stays_unknown(synthetic):
    found = verdict(synthetic, np.random.default_rng(26), CASES[Limit.COMPUTE], None)
    assert found.limit is Limit.UNKNOWN
    assert found.shares[Limit.UNKNOWN].value == pytest.approx(1)
    assert "No arithmetic ceiling" in " ".join(found.evidence)


def test_without_ceilings_a_wait_that_dominates_is_still_named(synthetic):
    found = verdict(synthetic, np.random.default_rng(27), CASES[Limit.INPUT], None)
    assert found.limit is Limit.INPUT
    even = (FEW, {Phase.FORWARD: 4 * MS, Phase.INPUT_WAIT: 4 * MS}, 1)
    assert verdict(synthetic, np.random.default_rng(28), even, None).limit is Limit.UNKNOWN


def test_a_rate_above_the_ceiling_accuses_the_ceiling(synthetic):
    case = (PRODUCTS, {Phase.FORWARD: 5 * MS}, 1)
    found = verdict(synthetic, np.random.default_rng(29), case, synthetic.ceilings())
    assert found.limit is Limit.BEYOND


def test_the_evidence_names_rates_widths_and_ceilings(synthetic):
    found = verdict(synthetic, np.random.default_rng(30), CASES[Limit.COMPUTE], synthetic.ceilings())
    text = " ".join(found.evidence).replace(NO_BREAK, " ")
    assert "14.0 GFLOP/s at 8 channels" in text
    assert "best product reaches 150 GFLOP/s" in text
    assert "11." in text


def test_the_evidence_holds_exchange_against_latency_and_bandwidth(synthetic):
    found = verdict(synthetic, np.random.default_rng(31), CASES[Limit.INTERCONNECT], synthetic.ceilings())
    text = " ".join(found.evidence).replace(NO_BREAK, " ")
    assert "1 MB among 2 ranks takes at least 550 µs (bound by bandwidth)" in text
    assert "not transfer at that speed" in text
    instant = replace(synthetic.ceilings(), all_reduce_latency_s=None)
    found = verdict(synthetic, np.random.default_rng(31), CASES[Limit.INTERCONNECT], instant)
    assert "at least 500 µs (bound by bandwidth)" in " ".join(found.evidence).replace(NO_BREAK, " ")
    without = replace(instant, all_reduce_bytes_per_s=None)
    found = verdict(synthetic, np.random.default_rng(31), CASES[Limit.INTERCONNECT], without)
    assert "no all-reduce ceiling" in " ".join(found.evidence)


def test_the_evidence_tells_production_from_waiting(synthetic):
    found = verdict(synthetic, np.random.default_rng(32), CASES[Limit.INPUT], synthetic.ceilings())
    assert any("producing one batch takes 9" in text for text in found.evidence)


def test_ceilings_that_lack_curves_still_give_a_verdict(synthetic):
    whole = synthetic.ceilings()
    bare = replace(whole, curves=whole.curves[1:3])
    assert verdict(synthetic, np.random.default_rng(33), CASES[Limit.COMPUTE], bare).limit is Limit.COMPUTE


def test_a_verdict_is_the_same_every_time(synthetic):
    measured = synthetic.steps(CASES[Limit.MEMORY][1], np.random.default_rng(34))
    found = [diagnose(measured, TRAFFIC, synthetic.point(), synthetic.ceilings()) for _ in range(2)]
    assert found[0] == found[1]


def test_the_evidence_leaves_out_what_was_not_measured(synthetic):
    whole = synthetic.ceilings()
    bare = replace(whole, curves=whole.curves[1:])
    found = verdict(synthetic, np.random.default_rng(35), CASES[Limit.COMPUTE], bare)
    assert "best product" not in " ".join(found.evidence)
    prompt = (FEW, {Phase.FORWARD: 2 * MS, Phase.COMMUNICATION: 0.4 * MS}, 2)
    found = verdict(synthetic, np.random.default_rng(36), prompt, whole)
    assert "not transfer at that speed" not in " ".join(found.evidence)


def test_exchange_in_the_middle_of_a_step_is_held_against_as_many_all_reduces(synthetic):
    inside = replace(FEW, gradient_bytes=0, exchanged_bytes=4_000_000, num_exchanges=20, ranks_per_replica=2)
    steps = synthetic.steps(
        {Phase.FORWARD: 2 * MS, Phase.COMMUNICATION: 6 * MS, Phase.COMMUNICATION_TOTAL: 6 * MS},
        np.random.default_rng(1),
        ranks=2,
    )
    point = synthetic.point(ranks=2, exchange="none")
    found = diagnose(steps, inside, point, synthetic.ceilings(label=point.placement.seats_label))
    assert found.limit is Limit.INTERCONNECT
    (said,) = [text for text in found.evidence if "Exchange between ranks" in text]
    # 20 x 50 us of latency, and 4 MB at 2 GB/s.
    plain = said.replace(NO_BREAK, " ")
    assert "its 20 sums and messages, 4 MB in all, would take 3.00 ms as all-reduces among 2 ranks." in plain
    assert "at least" not in plain
    assert "radient" not in " ".join(found.evidence)
