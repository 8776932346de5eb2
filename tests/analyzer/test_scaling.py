from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.analysis import analyze
from saih.domain.point import Placement
from saih.domain.record import Outcome, Phase
from saih.domain.scaling import RankLadder
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import Limit

RANKS = (1, 2, 4, 8)
STRONG, WEAK, THROUGHPUT = (
    RankLadder(scaling=kind, ranks=RANKS) for kind in ("strong", "weak", "throughput")
)
IDEAL = {
    Phase.FORWARD: lambda ranks, batch: 1e5 * batch,
    Phase.BACKWARD: lambda ranks, batch: 2e5 * batch,
}
AMDAHL = {**IDEAL, Phase.OTHER: lambda ranks, batch: 2e6}
EXCHANGED = {
    **IDEAL,
    Phase.COMMUNICATION: lambda ranks, batch: 0.6 * 4e5 * (ranks - 1),
    Phase.COMMUNICATION_TOTAL: lambda ranks, batch: 4e5 * (ranks - 1),
}


def analyzed(synthetic, records, ladder=None, *, ceilings=None, dropped=()):
    return analyze(
        "sweep",
        records,
        synthetic.placed_ceilings(records) if ceilings is None else ceilings,
        dropped,
        len(records),
        rank_ladder=ladder,
        find_workload=lambda name: synthetic.workload,
    )


def line_of(synthetic, truth, ladder, seed=1, **settings):
    records = synthetic.rank_sweep(truth, ladder, np.random.default_rng(seed), **settings)
    (line,) = analyzed(synthetic, records, ladder).scaling
    return line


@pytest.mark.parametrize("ladder", [STRONG, WEAK, THROUGHPUT])
def test_an_ideal_line_has_an_efficiency_of_exactly_one(synthetic, ladder):
    exchange = "none" if ladder is THROUGHPUT else "ddp"
    line = line_of(synthetic, IDEAL, ladder, sigma=0.0, exchange=exchange)
    assert line.scaling == ladder.scaling
    assert [rung.efficiency.value for rung in line.rungs] == [1.0] * 4
    assert [rung.speedup.value for rung in line.rungs] == [1.0, 2.0, 4.0, 8.0]
    assert line.rising is None
    assert sum(rise.value for rise in line.rises.values()) == pytest.approx(0, abs=1e-9)


def test_strong_scaling_follows_amdahl(synthetic):
    """A serial 2 ms beside 19.2 ms of shared work: speed-up 21.2 / (2 + 19.2 / p)."""
    line = line_of(synthetic, AMDAHL, STRONG, sigma=0.0)
    for rung in line.rungs:
        speedup = 21.2 / (2 + 19.2 / rung.num_ranks)
        assert rung.speedup.value == pytest.approx(speedup)
        assert rung.efficiency.value == pytest.approx(speedup / rung.num_ranks)
    assert [rung.batch_per_rank for rung in line.rungs] == [64, 32, 16, 8]


def test_weak_scaling_loses_what_the_exchange_takes(synthetic):
    """Exchange of 0.24 ms for each further rank on top of 19.2 ms."""
    line = line_of(synthetic, EXCHANGED, WEAK, sigma=0.0)
    for rung in line.rungs:
        efficiency = 19.2 / (19.2 + 0.24 * (rung.num_ranks - 1))
        assert rung.efficiency.value == pytest.approx(efficiency)
        assert rung.speedup.value == pytest.approx(efficiency * rung.num_ranks)
        assert rung.exposed_share.value == pytest.approx(1 - efficiency)
    assert line.rungs[-1].communication_ns.value == pytest.approx(2.8e6)
    assert any("overlap hides 40" in text for text in line.findings)


@pytest.mark.parametrize("ladder", [STRONG, WEAK])
def test_the_rises_name_the_growing_exchange_and_sum_to_the_loss(synthetic, ladder):
    line = line_of(synthetic, EXCHANGED, ladder)
    assert line.rising is Limit.INTERCONNECT
    whole = 1 / line.rungs[-1].efficiency.value - 1
    assert sum(rise.value for rise in line.rises.values()) == pytest.approx(whole, abs=0.01)
    truth = 0.24 * 7 / (19.2 if ladder is WEAK else 2.4)
    assert line.rises[Limit.INTERCONNECT].value == pytest.approx(truth, rel=0.05)


def test_input_that_is_shared_by_more_replicas_is_named(synthetic):
    shared = {**IDEAL, Phase.INPUT_WAIT: lambda ranks, batch: 2e6 * (ranks - 1)}
    line = line_of(synthetic, shared, THROUGHPUT, exchange="none")
    assert line.rising is Limit.INPUT


def test_intervals_of_speed_up_and_efficiency_hold_the_truth_as_often_as_stated(synthetic):
    hits = []
    for seed in range(60):
        line = line_of(synthetic, AMDAHL, RankLadder(scaling="strong", ranks=(1, 4)), seed, sigma=0.05)
        # The slowest of four ranks with 5 % noise lasts longer than the typical one.
        slow = line.rungs[1]
        truth = 21.2 / 6.8 / slow_factor()
        hits.append(slow.speedup.low <= truth <= slow.speedup.high)
        assert slow.efficiency.low == pytest.approx(slow.speedup.low / 4)
        assert slow.speedup.count == 30
    assert np.mean(hits) >= 0.9, np.mean(hits)


def slow_factor():
    """Median of the slowest of four steps of 3 phases with 5 % noise, over the median of one."""
    generator = np.random.default_rng(0)
    phases = np.array([1.6e6, 3.2e6, 2e6])[:, None, None]
    whole = (phases * np.exp(0.05 * generator.standard_normal((3, 4, 100_000)))).sum(axis=0)
    one = (
        np.array([6.4e6, 12.8e6, 2e6])[:, None] * np.exp(0.05 * generator.standard_normal((3, 100_000)))
    ).sum(axis=0)
    return np.median(whole.max(axis=0)) / 6.8e6 / (np.median(one) / 21.2e6)


def test_failed_dropped_and_absent_rungs_are_named_with_their_reasons(synthetic):
    ladder = RankLadder(scaling="weak", ranks=(1, 2, 4, 8, 16))
    records = synthetic.rank_sweep(IDEAL, ladder, np.random.default_rng(2))
    lost = synthetic.record(records[0].point, None, outcome=Outcome.OUT_OF_MEMORY, reason="rank 0 was killed")
    dropped = DroppedPoint(point=records[3].point, labels={"data": "8 rows"}, reason="needs 9 GB")
    analysis = analyzed(synthetic, [lost, *records[1:3]], ladder, dropped=(dropped,))
    (line,) = analysis.scaling
    assert line.unmeasured == (
        "1 rank: out of memory after 1 attempt: rank 0 was killed",
        "8 ranks: dropped before the run: needs 9 GB",
        "16 ranks: no record yet",
    )
    assert [rung.num_ranks for rung in line.rungs] == [2, 4]
    assert line.rungs[0].speedup.value == 1
    assert any("relative to 2 ranks, because 1 was not measured" in text for text in line.findings)
    assert analysis.failed[0].labels["ranks"] == "1 rank"


def test_one_rung_alone_has_nothing_to_be_held_against(synthetic):
    records = synthetic.rank_sweep(IDEAL, STRONG, np.random.default_rng(3))[:1]
    analysis = analyzed(synthetic, records, STRONG)
    (line,) = analysis.scaling
    assert "nothing to hold" in line.findings[0]
    assert line.rises == {}
    assert line.rising is None
    assert line.unmeasured == ("2, 4, 8 ranks: no record yet",)
    assert analysis.trends[0].axis == "ranks"
    assert analysis.trends[0].total is None


def test_a_sweep_on_one_number_of_ranks_has_no_scaling(synthetic):
    generator = np.random.default_rng(4)
    records = [
        synthetic.record(
            synthetic.point(rows=rows, ranks=2), synthetic.steps({Phase.FORWARD: 1e6}, generator, ranks=2)
        )
        for rows in (8, 16)
    ]
    for ladder in (None, RankLadder(scaling="weak", ranks=(2,))):
        analysis = analyzed(synthetic, records, ladder)
        assert analysis.scaling == ()
        assert "ranks" not in analysis.points[0].labels
        assert [trend.axis for trend in analysis.trends] == ["data"]


def test_each_placement_is_held_against_its_own_ceilings(synthetic):
    records = synthetic.rank_sweep(IDEAL, WEAK, np.random.default_rng(5), sigma=0.0)
    own = synthetic.placed_ceilings(records)
    (line,) = analyzed(synthetic, records, WEAK, ceilings=own).scaling
    shares = [rung.share_of_peak.value for rung in line.rungs]
    assert shares == pytest.approx([shares[0]] * 4)
    (line,) = analyzed(synthetic, records, WEAK, ceilings=own[:2]).scaling
    assert [rung.share_of_peak is None for rung in line.rungs] == [False, False, True, True]
    assert any("No ceiling was measured at 4, 8 ranks" in text for text in line.findings)
    assert Limit.UNKNOWN in line.rises


def test_more_ranks_that_bring_nothing_are_told(synthetic):
    slower = {**IDEAL, Phase.COMMUNICATION: lambda ranks, batch: 1e6 * ranks * (ranks > 1)}
    line = line_of(synthetic, slower, STRONG)
    assert any(text.startswith("More ranks than 4 bring nothing") for text in line.findings)


def test_the_slowest_rank_is_named_where_it_holds_the_others_up(synthetic):
    records = synthetic.rank_sweep(
        IDEAL, RankLadder(scaling="weak", ranks=(1, 4)), np.random.default_rng(6), sigma=0.0
    )
    even = records[1].result.steps
    work, exchange = (
        np.array(even.duration_ns[Phase.FORWARD]),
        np.array(even.duration_ns[Phase.COMMUNICATION]),
    )
    work[2] += 4_000_000
    exchange[[0, 1, 3]] += 4_000_000  # the others wait for it there, so that all steps are equally long
    uneven = replace(
        even,
        duration_ns={
            **even.duration_ns,
            Phase.FORWARD: tuple(map(tuple, work.tolist())),
            Phase.COMMUNICATION: tuple(map(tuple, exchange.tolist())),
        },
        step_ns=tuple(tuple(step + 4_000_000 for step in row) for row in even.step_ns),
    )
    records[1] = replace(records[1], result=replace(records[1].result, steps=uneven))
    (line,) = analyzed(synthetic, records).scaling
    balance = line.rungs[1].balance
    assert (balance.slowest_rank, balance.num_ranks) == (2, 4)
    assert balance.imbalance == pytest.approx(23.2 / 20.2)
    assert any(
        "longer than the mean of 4; in the exchange the others wait for it, 3.00" in text
        for text in line.findings
    )
    assert line.rungs[0].balance is None


def test_placements_that_change_more_than_the_ranks_are_told(synthetic):
    generator = np.random.default_rng(7)
    records = []
    for nodes, per_node in ((1, 1), (2, 1), (2, 2)):
        placement = Placement(nodes=nodes, ranks_per_node=per_node, data_parallel=nodes * per_node)
        at = synthetic.point(placement=placement, exchange="none" if nodes == 1 else "ddp")
        records.append(
            synthetic.record(at, synthetic.steps({Phase.FORWARD: 1e6}, generator, ranks=nodes * per_node))
        )
    (line,) = analyzed(synthetic, records).scaling
    assert line.scaling == "weak"
    assert any("differ in more than their number of ranks" in text for text in line.findings)
