"""Known causes, one or two in each record: what the verdict must name, and how large a share it must find."""

from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.diagnosis import diagnose
from saih.domain.contention import Contention, Pressure
from saih.domain.quantity import NO_BREAK
from saih.domain.record import Phase
from saih.domain.trend import Limit
from tests.analyzer.meeting import MS, Causes, meeting_steps
from workloads.protocol import Cost, Operation, OpKind

INPUT_BYTES = 1_000_000
NUM_DRAWS = 60


def cost(kind: OpKind, *, seconds: float) -> Cost:
    """Work whose floor on two ranks is so long: convolutions of 8 channels, traffic, or launches."""
    amounts = {
        OpKind.CONVOLUTION: {"flops": int(seconds * 14e9 / 2), "memory_bytes": 0, "num_kernels": 1},
        OpKind.ELEMENTWISE: {"flops": 0, "memory_bytes": int(seconds * 10e9 / 2), "num_kernels": 1},
        OpKind.MATMUL: {"flops": 0, "memory_bytes": 0, "num_kernels": int(seconds / 5e-6)},
    }[kind]
    halves = [
        Operation(
            name=str(kind),
            phase=phase,  # type: ignore[arg-type]  # names of phases in a loop
            kind=kind,
            channels=8.0,
            **{name: max(round(share * amount), 0) for name, amount in amounts.items()},
        )
        for phase, share in (("forward", 0.4), ("backward", 0.6))
    ]
    return Cost(
        operations=tuple(halves),
        num_parameters=1,
        samples_per_step=2,
        gradient_bytes=100_000,
        input_bytes=INPUT_BYTES,
        dataset_bytes=1,
        peak_memory_bytes=1,
        axis_sizes={},
    )


COMPUTE = cost(OpKind.CONVOLUTION, seconds=5e-3)
TRAFFIC = cost(OpKind.ELEMENTWISE, seconds=25e-3)
LAUNCHES = cost(OpKind.MATMUL, seconds=5e-3)
COLD = {"read": 14 * MS, "read_bytes": 1e6}

ONE_CAUSE = {
    "compute": (Limit.COMPUTE, COMPUTE, Causes(), 5 / 6.4),
    "memory": (Limit.MEMORY, TRAFFIC, Causes(work=30 * MS), 25 / 30.6),
    "launch": (Limit.LAUNCH, LAUNCHES, Causes(), 5 / 6.4),
    "transfer": (Limit.INTERCONNECT, COMPUTE, Causes(transfer=12 * MS), 12 / 18.1),
    "one slow rank": (Limit.IMBALANCE, COMPUTE, Causes(slow=5.0), 24 / 30.3),
    "uneven data": (Limit.IMBALANCE, COMPUTE, Causes(work=10 * MS, uneven=1.5), None),
    "storage": (Limit.STORAGE, COMPUTE, Causes(**COLD), None),
    "decoding": (Limit.INPUT, COMPUTE, Causes(decode=20 * MS), 13.7 / 20.05),
    "decoding in the way": (Limit.INPUT, COMPUTE, Causes(decode=9 * MS, crowded=True), 9 / 15.3),
    "starved": (Limit.CONTENTION, COMPUTE, Causes(delay=1.0, decode=0), 6 / 12.3),
}


@pytest.mark.parametrize("name", ONE_CAUSE)
def test_one_cause_is_named_and_its_share_found(synthetic, name):
    limit, work, causes, share = ONE_CAUSE[name]
    generator = np.random.default_rng(41)
    found = [
        diagnose(meeting_steps(causes, generator), work, synthetic.point(ranks=2), synthetic.ceilings())
        for _ in range(NUM_DRAWS)
    ]
    right = np.mean([one.limit is limit for one in found])
    assert right >= 0.95, f"{name}: {[str(one.limit) for one in found][:8]}"
    assert all(sum(part.value for part in one.shares.values()) == pytest.approx(1) for one in found)
    if share is not None:
        middle = np.median([one.shares[limit].value for one in found])
        assert middle == pytest.approx(share, abs=0.05), f"{name}: {middle:.3f} for {share:.3f}"


TWO_CAUSES = {
    "transfer and storage": (
        {Limit.INTERCONNECT, Limit.STORAGE},
        Causes(transfer=6 * MS, read=20 * MS, read_bytes=1e6),
    ),
    "slow rank and transfer": ({Limit.IMBALANCE, Limit.INTERCONNECT}, Causes(slow=2.5, transfer=9 * MS)),
    "starved and transfer": ({Limit.CONTENTION, Limit.INTERCONNECT}, Causes(delay=1.5, transfer=9 * MS)),
    "compute and transfer": ({Limit.COMPUTE, Limit.INTERCONNECT}, Causes(transfer=5 * MS)),
}


@pytest.mark.parametrize("name", TWO_CAUSES)
def test_of_two_causes_both_are_the_largest_two(synthetic, name):
    limits, causes = TWO_CAUSES[name]
    generator = np.random.default_rng(42)
    right = []
    for _ in range(NUM_DRAWS):
        found = diagnose(
            meeting_steps(causes, generator), COMPUTE, synthetic.point(ranks=2), synthetic.ceilings()
        )
        named = sorted(found.shares, key=lambda limit: -found.shares[limit].value)
        right.append(set(named[:2]) == limits or (limits <= {*named[:3]} and Limit.COMPUTE in named[:3]))
    assert np.mean(right) >= 0.95


def test_a_mixture_names_both_with_their_shares(synthetic):
    steps = meeting_steps(Causes(transfer=5 * MS), np.random.default_rng(43))
    found = diagnose(steps, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings())
    assert found.limit is Limit.MIXED
    text = " ".join(found.evidence).replace(NO_BREAK, " ")
    assert "Two causes share the step and neither surely leads: " in text
    assert "compute (" in text
    assert "interconnect (" in text


def test_a_rank_that_is_late_for_its_input_is_not_called_imbalance(synthetic):
    """Rule: imbalance belongs to the phase in which the last arriver lost its time."""
    even = meeting_steps(Causes(**COLD), np.random.default_rng(44))
    rows = {phase: np.array(own) for phase, own in even.duration_ns.items()}
    saved = rows[Phase.INPUT_WAIT][0].copy()
    rows[Phase.INPUT_WAIT][0] = 0
    rows[Phase.COMMUNICATION][0] += saved
    steps = replace(even, duration_ns={phase: tuple(map(tuple, own.tolist())) for phase, own in rows.items()})
    found = diagnose(steps, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings())
    assert found.limit is Limit.STORAGE
    assert found.shares[Limit.IMBALANCE].value < 0.02


def test_reading_from_the_page_cache_is_input_not_storage(synthetic):
    causes = Causes(read=14 * MS, read_bytes=0.0)
    found = diagnose(
        meeting_steps(causes, np.random.default_rng(45)),
        COMPUTE,
        synthetic.point(ranks=2),
        synthetic.ceilings(),
    )
    assert found.limit is Limit.INPUT
    assert found.shares[Limit.STORAGE].value == 0


def test_a_contended_point_names_no_class_of_work(synthetic):
    steps = meeting_steps(Causes(delay=0.4, decode=0), np.random.default_rng(46))
    found = diagnose(steps, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings())
    assert found.is_contended
    assert found.limit is Limit.CONTENTION
    assert "Work took 1.40 times as long" in " ".join(found.evidence)


def test_input_that_surely_outweighs_everything_is_named_on_contended_processors_too(synthetic):
    causes = Causes(delay=0.4, read=90 * MS, read_bytes=1e6)
    found = diagnose(
        meeting_steps(causes, np.random.default_rng(47)),
        COMPUTE,
        synthetic.point(ranks=2),
        synthetic.ceilings(),
    )
    assert found.is_contended
    assert found.limit is Limit.STORAGE


def pressure(**values: int) -> Contention:
    return Contention(values={Pressure[name]: value for name, value in values.items()})


def test_pressure_counts_where_work_was_held_up_or_nobody_knows(synthetic):
    pressed = pressure(ELAPSED=100, CPU_SOME=60)
    for delay, has_meters, is_contended in ((0.0, True, False), (0.1, True, True), (0.0, False, True)):
        steps = meeting_steps(Causes(delay=delay, decode=0), np.random.default_rng(48))
        steps = steps if has_meters else replace(steps, meters={})
        found = diagnose(steps, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings(), pressed)
        assert found.is_contended is is_contended
        assert "some task of the machine waited for a processor" in " ".join(found.evidence)
    assert found.limit is Limit.UNEXPLAINED  # nobody metered a delay, so none is claimed


def test_pressure_of_the_own_threads_is_no_contention(synthetic):
    steps = meeting_steps(Causes(delay=0.1, decode=0), np.random.default_rng(48))
    for others, is_contended in ((3, False), (20, True)):
        pressed = pressure(ELAPSED=100, CPU_SOME=60, OTHERS=others)
        found = diagnose(steps, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings(), pressed)
        assert found.is_contended is is_contended
        text = " ".join(found.evidence).replace(NO_BREAK, " ")
        assert f"Processes other than the ranks had {others}" in text
        assert found.shares[Limit.CONTENTION].value > 0.05  # what it is, its own or not


@pytest.mark.parametrize("held", ["THROTTLED", "STOLEN"])
def test_nobody_else_need_have_the_processors_that_a_quota_or_a_host_holds_back(synthetic, held):
    steps = meeting_steps(Causes(delay=0.1, decode=0), np.random.default_rng(48))
    for share, is_contended in ((4, False), (30, True)):
        pressed = pressure(ELAPSED=100, CPU_SOME=60, OTHERS=0, **{held: share})
        found = diagnose(steps, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings(), pressed)
        assert found.is_contended is is_contended


def test_a_worker_thread_that_waits_explains_what_the_floors_do_not(synthetic):
    steps = meeting_steps(Causes(work=14 * MS), np.random.default_rng(49))
    waiting = pressure(ELAPSED=1000, RUN_DELAY=0, WORKER_DELAY=600)
    alone = diagnose(steps, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings())
    held = diagnose(steps, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings(), waiting)
    assert alone.limit is Limit.UNEXPLAINED
    assert held.limit is Limit.CONTENTION
    assert held.shares[Limit.CONTENTION].value == pytest.approx(0.6 * 14 / 14.3, abs=0.03)


def test_old_records_keep_their_verdicts_and_say_what_was_not_recorded(synthetic):
    for limit, work, causes, _ in (
        ONE_CAUSE[name] for name in ("compute", "transfer", "one slow rank", "decoding")
    ):
        old = replace(meeting_steps(causes, np.random.default_rng(50)), meters={})
        found = diagnose(old, work, synthetic.point(ranks=2), synthetic.ceilings())
        assert found.limit is limit
        assert Limit.CONTENTION not in found.shares
        assert "was not recorded, so contention cannot be told from work" in " ".join(found.evidence)


def test_the_evidence_tells_who_comes_last_and_where_it_loses_the_time(synthetic):
    steps = meeting_steps(Causes(slow=5.0), np.random.default_rng(51))
    found = diagnose(steps, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings())
    text = " ".join(found.evidence).replace(NO_BREAK, " ")
    assert (
        "it is rank 1 in 100 % of the steps, and it loses the time in backward (60 %) and forward (40 %)"
        in text
    )


def test_the_evidence_holds_reading_against_the_ceilings_of_storage(synthetic):
    steps = meeting_steps(Causes(**COLD), np.random.default_rng(52))
    found = diagnose(steps, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings())
    text = " ".join(found.evidence).replace(NO_BREAK, " ")
    assert "Storage gave 1.00 MB of a batch; its loader stood still for 93 % of the making" in text


def test_work_that_stands_still_without_wanting_a_processor_is_told(synthetic):
    steps = meeting_steps(Causes(), np.random.default_rng(53))
    slow = {
        meter: tuple(tuple(value // 2 for value in row) for row in rows)
        for meter, rows in steps.meters.items()
    }
    for one, is_told in ((steps, False), (replace(steps, meters=slow), True)):
        found = diagnose(one, COMPUTE, synthetic.point(ranks=2), synthetic.ceilings())
        text = " ".join(found.evidence).replace(NO_BREAK, " ")
        assert ("For 50 % of the work or more its thread stood still" in text) is is_told
