"""Models that ranks divide: who waits for whom there, and what that waiting is called."""

from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.analysis import analyze
from saih.analyzer.balance import balance_of
from saih.analyzer.diagnosis import diagnose
from saih.analyzer.efficiency import efficiency_of
from saih.analyzer.replay import Change, replayed, replayed_ns
from saih.analyzer.summary import summarize
from saih.analyzer.validation import refusal
from saih.analyzer.verification import verify
from saih.analyzer.verification_effect import predicted_ns
from saih.domain.point import Placement
from saih.domain.quantity import NO_BREAK
from saih.domain.record import HIDDEN_PHASES, Phase, RankSummary, Steps
from saih.domain.scaling import RankLadder
from saih.domain.trend import Diagnosis, Limit
from saih.domain.verification import Intervention, Toggle
from tests.analyzer.meeting import MS
from tests.analyzer.test_attribution import COMPUTE
from tests.analyzer.test_verification import trial

COUNT = 40
INFERENCE = replace(
    COMPUTE, gradient_bytes=0, exchanged_bytes=4_000_000, num_exchanges=20, ranks_per_replica=2
)
TWO_STAGES = Placement(ranks_per_node=2, pipeline_parallel=2)
TWO_SHARES = Placement(ranks_per_node=2, tensor_parallel=2)
TWO_REPLICAS = Placement(ranks_per_node=4, data_parallel=2, tensor_parallel=2)


def divided(work, *, waits=(0, 0), exchange=(0.2, 0.2), noise=0.01, seed=1):
    """Steps of ranks that work so long [ms], wait so long for other stages, and exchange so long."""
    generator = np.random.default_rng(seed)
    table = {
        Phase.INPUT_WAIT: [0.0] * len(work),
        Phase.FORWARD: work,
        Phase.BACKWARD: [0.0] * len(work),
        Phase.COMMUNICATION: exchange,
        Phase.OPTIMIZER: [0.0] * len(work),
        Phase.OTHER: [0.01] * len(work),
        Phase.COMMUNICATION_TOTAL: exchange,
    }
    if any(waits):
        table[Phase.STAGE_WAIT] = waits
    factors = np.exp(noise * generator.standard_normal(COUNT))
    rows = {phase: np.rint(np.outer(own, factors) * MS).astype(int) for phase, own in table.items()}
    whole = np.sum([own for phase, own in rows.items() if phase not in HIDDEN_PHASES], axis=0)
    return Steps(
        duration_ns={phase: tuple(map(tuple, own.tolist())) for phase, own in rows.items()},
        step_ns=tuple(map(tuple, whole.tolist())),
        losses=(1.0,) * COUNT,
        warmup_steps=0,
    )


def diagnosed(synthetic, steps, placement):
    point = synthetic.point(placement=placement, exchange="none")
    found = diagnose(steps, INFERENCE, point, synthetic.ceilings())
    return found, " ".join(found.evidence).replace(NO_BREAK, " ")


UNEQUAL = divided((5, 20), waits=(15, 0))
UNFILLED = divided((5, 5), waits=(12, 12))
SLOW_LINK = divided((5, 5), waits=(17, 5), exchange=(0, 12))
"""One pass at a time: the first stage waits for the token while its rows are on the way, and while the second
computes."""


def test_a_busy_stage_that_others_wait_for_is_load_imbalance(synthetic):
    found, text = diagnosed(synthetic, UNEQUAL, TWO_STAGES)
    assert found.limit is Limit.IMBALANCE
    assert found.shares[Limit.IMBALANCE].value == pytest.approx(15 / 20.2, abs=0.02)
    assert found.shares[Limit.INTERCONNECT].value < 0.02
    assert "the others, which wait for it; it is rank 1 in 100 % of the steps" in text
    assert "Even the stage that waits least" not in text


def test_a_pipeline_that_is_not_full_is_load_imbalance_and_says_so(synthetic):
    found, text = diagnosed(synthetic, UNFILLED, TWO_STAGES)
    assert found.limit is Limit.IMBALANCE
    assert found.shares[Limit.IMBALANCE].value == pytest.approx(12 / 17.2, abs=0.02)
    assert found.shares[Limit.INTERCONNECT].value < 0.02
    assert sum(share.value for share in found.shares.values()) == pytest.approx(1)
    assert "stage that waits least waits 12.0 ms of the step (70 %) for others: the pipeline fills" in text
    assert " works " not in text


def test_bytes_on_a_link_between_stages_are_interconnect(synthetic):
    found, text = diagnosed(synthetic, divided((5, 5), waits=(0.2, 0.2), exchange=(12, 12)), TWO_STAGES)
    assert found.limit is Limit.INTERCONNECT
    assert "Exchange between ranks adds 12.0 ms" in text
    assert "waiting for" not in text


def test_a_stage_that_waits_for_another_that_waits_for_bytes_is_no_imbalance(synthetic):
    found, text = diagnosed(synthetic, SLOW_LINK, TWO_STAGES)
    assert found.limit is Limit.INTERCONNECT
    assert found.shares[Limit.INTERCONNECT].value == pytest.approx(12 / 22, abs=0.02)
    assert found.shares[Limit.IMBALANCE].value == pytest.approx(5 / 22, abs=0.02)
    assert "Exchange between ranks adds 12.0 ms" in text


def test_records_of_before_there_was_the_phase_keep_their_verdict_and_say_what_is_in_it(synthetic):
    old = divided((5, 5), exchange=(12.2, 12.2))
    found, text = diagnosed(synthetic, old, TWO_STAGES)
    assert found.limit is Limit.INTERCONNECT
    assert "and waiting for other stages is in it" in text
    assert efficiency_of(old, 2).pipeline is None
    assert refusal(synthetic.record(synthetic.point(placement=TWO_STAGES, exchange="none"), old)) == ""


def test_a_step_whose_waits_are_not_told_is_refused(synthetic):
    point = synthetic.point(placement=TWO_STAGES, exchange="none")
    assert refusal(synthetic.record(point, UNFILLED)) == ""
    told = {phase: rows for phase, rows in UNFILLED.duration_ns.items() if phase is not Phase.STAGE_WAIT}
    assert "sum" in refusal(synthetic.record(point, replace(UNFILLED, duration_ns=told)))


SLOWER = divided((5, 5, 10, 10), exchange=(0.2, 0.2, 0.2, 0.2))


def test_a_replica_that_is_slower_is_waited_for_by_nobody(synthetic):
    found, text = diagnosed(synthetic, SLOWER, TWO_REPLICAS)
    assert found.shares[Limit.IMBALANCE].value < 0.01
    assert "wait for it" not in text
    everyone = diagnose(SLOWER, INFERENCE, synthetic.point(ranks=4), synthetic.ceilings())
    assert everyone.shares[Limit.IMBALANCE].value > 0.3


def test_within_a_replica_ranks_wait_for_the_slowest_whatever_the_other_does(synthetic):
    """The busiest of all ranks is in a replica whose step is shorter: it has less to wait for."""
    steps = divided((5, 5, 4, 8), exchange=(9, 9, 4.2, 0.2))
    found, _ = diagnosed(synthetic, steps, TWO_REPLICAS)
    assert found.limit is Limit.INTERCONNECT  # of the first replica, whose step is the longest
    slow = divided((2, 2, 4, 8), exchange=(1, 1, 4.2, 0.2))
    found, text = diagnosed(synthetic, slow, TWO_REPLICAS)
    assert found.shares[Limit.IMBALANCE].value == pytest.approx(4 / 8.2, abs=0.02)
    assert "The last of 2 ranks" in text
    assert "rank 3 in 100 %" in text


def test_ranks_are_held_against_those_that_they_meet():
    alone, sharing, all_meet = (balance_of(SLOWER, size) for size in (1, 2, 4))
    assert (sharing.num_ranks, sharing.slowest_rank, sharing.is_awaited) == (2, 2, True)
    assert sharing.imbalance == pytest.approx(1, abs=1e-6)
    assert (all_meet.num_ranks, all_meet.imbalance) == (4, pytest.approx(4 / 3, abs=0.01))
    assert (alone.num_ranks, alone.is_awaited) == (4, False)


def test_of_many_ranks_the_medians_of_the_same_replica_stand_for_the_others(synthetic):
    whole = divided((5, 5, 4, 8), exchange=(0.2, 0.2, 4.2, 0.2))
    kept = (3, 1, 0)
    medians = {
        phase: tuple(np.median(rows, axis=1).astype(int).tolist())
        for phase, rows in whole.duration_ns.items()
    }
    some = replace(
        whole,
        duration_ns={phase: tuple(rows[rank] for rank in kept) for phase, rows in whole.duration_ns.items()},
        step_ns=tuple(whole.step_ns[rank] for rank in kept),
        summary=RankSummary(
            num_ranks=4,
            kept=kept,
            slowest_ns=whole.slowest_ns,
            median_step_ns=tuple(np.median(whole.step_ns, axis=1).astype(int).tolist()),
            median_ns=medians,
        ),
    )
    found, _ = diagnosed(synthetic, some, TWO_REPLICAS)
    # Its own median is among those of its replica: half of what it has more than the other.
    assert found.shares[Limit.IMBALANCE].value == pytest.approx(2 / 8.2, abs=0.02)


def test_waiting_for_stages_is_a_factor_of_its_own_and_no_transfer():
    found = efficiency_of(UNFILLED, 2)
    assert found.transfer.value == pytest.approx(17 / 17.2, abs=0.01)
    assert found.pipeline.value == pytest.approx(5 / 17, abs=0.01)
    assert found.serialisation.value == pytest.approx(found.pipeline.value, abs=0.01)
    assert found.load_balance.value == pytest.approx(1, abs=0.01)
    found = efficiency_of(UNEQUAL, 2)
    assert found.load_balance.value == pytest.approx(12.5 / 20, abs=0.01)
    assert found.pipeline.value == pytest.approx(1, abs=0.01)
    found = efficiency_of(SLOW_LINK, 2)
    assert found.transfer.value == pytest.approx(10 / 22, abs=0.02)
    assert found.pipeline.value == pytest.approx(5 / 10, abs=0.02)


def test_slack_of_other_stages_takes_up_what_is_added_to_one():
    for steps in (UNEQUAL, UNFILLED):
        assert replayed_ns(steps, Change(), 2).tolist() == list(steps.slowest_ns)
        assert replayed(steps, Change(), 2) == steps
    before = np.median(UNEQUAL.slowest_ns)
    for ranks, moved in (({0}, 0.0), ({1}, 3.0), ({0, 1}, 3.0)):
        change = Change(added_ns={Phase.FORWARD: 3 * MS}, ranks=frozenset(ranks))
        found = np.median(replayed_ns(UNEQUAL, change, 2)) - before
        assert found == pytest.approx(moved * MS, abs=0.1 * MS)
        again = replayed(UNEQUAL, change, 2)
        assert np.median(again.slowest_ns) - before == pytest.approx(found, abs=2)


def test_what_is_added_in_one_replica_moves_no_other():
    change = Change(added_ns={Phase.FORWARD: 3 * MS}, ranks=frozenset([1]))
    assert replayed_ns(SLOWER, change, 2).tolist() == list(SLOWER.slowest_ns)
    assert np.median(replayed_ns(SLOWER, change)) > np.median(SLOWER.slowest_ns) + 2 * MS


def scene(synthetic, steps, placement, limit):
    record = synthetic.record(synthetic.point(placement=placement, exchange="none"), steps)
    summary = summarize(record, steps, synthetic.workload, None)
    return replace(summary, diagnosis=Diagnosis(limit=limit, runner_up=None, shares={}, evidence=()))


def loaded(steps, load, size, rank=None, factor=1.0):
    """A sham, and three doses of a load that moves the step ``factor`` times as foreseen."""
    doses = (3 * MS, 6 * MS, 12 * MS)
    toggles = [Toggle(intervention=load, dose_ns=int(dose), rank=rank) for dose in doses]
    moves = {(Intervention.SHAM, 0): 0.0} | {
        (load, one.dose_ns): factor * predicted_ns(steps, one, one.dose_ns, size).value for one in toggles
    }
    found = trial(steps, moves)
    runs = [replace(run, toggle=replace(run.toggle, rank=rank)) for run in found.runs]
    return replace(found, runs=tuple(runs))


@pytest.mark.parametrize("limit", [Limit.IMBALANCE, Limit.COMPUTE, Limit.INTERCONNECT])
@pytest.mark.parametrize("placement", [TWO_STAGES, TWO_SHARES])  # a workload may choose to divide otherwise
def test_a_pipeline_that_waits_cannot_be_put_to_the_test_and_says_why(synthetic, limit, placement):
    """What is added to each of its stages in turn adds up, as no replay of phases foresees."""
    summary = scene(synthetic, UNFILLED, placement, limit)
    found = verify(summary, UNFILLED, loaded(UNFILLED, Intervention.EXTRA_ARITHMETIC, 2, factor=2.0))
    assert {one.status for one in found} == {"undecided"}
    assert "stage that waits least waits 70 % of the step" in found[0].statement.replace(NO_BREAK, " ")


def test_a_pipeline_of_an_old_record_cannot_be_put_to_the_test(synthetic):
    old = divided((5, 5), exchange=(12.2, 12.2))
    (found, *_) = verify(
        scene(synthetic, old, TWO_STAGES, Limit.INTERCONNECT), old, loaded(old, Intervention.SLOW_RANK, 2)
    )
    assert "does not tell how long its stages wait" in found.statement


def test_the_busiest_of_full_stages_is_verified_by_slowing_it(synthetic):
    summary = scene(synthetic, UNEQUAL, TWO_STAGES, Limit.IMBALANCE)
    (found,) = verify(summary, UNEQUAL, loaded(UNEQUAL, Intervention.SLOW_RANK, 2, rank=1))
    assert found.status == "verified"


@pytest.mark.parametrize(("factor", "status"), [(1.0, "undecided"), (1.2, "undecided"), (0.0, "refuted")])
def test_an_exchange_that_cannot_be_left_out_is_never_verified(synthetic, factor, status):
    steps = divided((5, 5), exchange=(12, 12))
    summary = scene(synthetic, steps, TWO_SHARES, Limit.INTERCONNECT)
    (found,) = verify(summary, steps, loaded(steps, Intervention.THROTTLED_EXCHANGE, 2, factor=factor))
    assert found.status == status
    assert ("cannot be left out" in found.statement) == (status == "undecided")
    assert "with a throttled exchange the step took" in found.statement
    assert len(found.doses) == 3
    assert found.more_pairs == 0  # none would decide it


def test_stage_waits_have_a_law_over_ranks_from_the_first_pipeline_on(synthetic):
    records = []
    for stages in (1, 2, 4, 8):
        work, wait = [40 / stages] * stages, [5.0 * (stages > 1)] * stages
        steps = divided(work, waits=wait, exchange=[0.0] * stages, seed=stages)
        point = synthetic.point(
            placement=Placement(ranks_per_node=stages, pipeline_parallel=stages), exchange="none"
        )
        records.append(synthetic.record(point, steps))
    assert Phase.STAGE_WAIT not in records[0].result.steps.duration_ns
    ladder = RankLadder(scaling="strong", ranks=(1, 2, 4, 8), grows="pipeline")
    found = analyze(
        "sweep", records, [], [], 4, rank_ladder=ladder, find_workload=lambda name: synthetic.workload
    )
    (trend,) = [one for one in found.trends if one.axis == "ranks"]
    laws = {fit.phase: fit for fit in trend.components}
    assert Phase.STAGE_WAIT in laws
    last = trend.step_curve[-1]
    assert last.interval.value / MS == pytest.approx(40 / last.size + 5, rel=0.1)
