"""Ranks that a plan leaves out: they neither work nor wait, and say nothing about those that do."""

from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.critical_path import critical_path, last_arrivers
from saih.analyzer.efficiency import efficiency_of
from saih.analyzer.meetings import has_meetings, rows_that_met
from saih.analyzer.replay import Change, replayed, replayed_ns
from saih.domain.point import Placement
from saih.domain.record import Phase, RankSummary
from saih.domain.trend import Limit
from tests.analyzer.meeting import MS
from tests.analyzer.test_stage_waits import diagnosed, divided

THREE = Placement(ranks_per_node=3, tensor_parallel=3)
PIPELINE = divided((5, 20, 0), waits=(15, 0.5, 0), exchange=(0.2, 0.2, 0))
HYBRID = divided((12, 12, 0), exchange=(4, 4, 0))
LOCAL = divided((20, 0, 0), exchange=(0.005, 0, 0))
TWO_CLUSTERS = divided((12, 12, 0, 9, 0, 0), exchange=(4, 4, 0, 0.005, 0, 0))


def imbalance(steps, size):
    path = critical_path(steps, 0, size)
    return float(path.imbalance.sum() / path.table.sum())


def test_of_a_pipeline_a_rank_that_works_decides_every_step(synthetic):
    assert set(last_arrivers(PIPELINE, 3)) == {1}
    found, text = diagnosed(synthetic, PIPELINE, THREE)
    assert found.limit is Limit.IMBALANCE
    assert "The last of 2 ranks works" in text
    assert "it is rank 1 in 100 %" in text


def test_equal_work_of_some_ranks_is_balanced(synthetic):
    found, text = diagnosed(synthetic, HYBRID, THREE)
    assert found.shares[Limit.IMBALANCE].value < 0.01
    assert found.shares[Limit.INTERCONNECT].value == pytest.approx(4 / 16, abs=0.01)
    assert "wait for it" not in text


def test_a_rank_that_works_alone_meets_nobody(synthetic):
    assert not has_meetings(LOCAL, 3)
    found, text = diagnosed(synthetic, LOCAL, THREE)
    assert found.shares[Limit.IMBALANCE].value < 0.01
    assert "wait for it" not in text


def test_a_network_in_no_time_takes_away_what_working_ranks_exchange():
    found = efficiency_of(HYBRID, 3)
    assert found.transfer.value == pytest.approx(12 / 16, abs=0.01)
    assert found.serialisation.value == pytest.approx(1, abs=0.01)
    assert found.load_balance.value == pytest.approx(2 / 3, abs=0.01)  # a third of the ranks is not used


def test_each_cluster_has_ranks_of_its_own_that_meet():
    assert rows_that_met(TWO_CLUSTERS, 3).tolist() == [True, True, False, True, False, False]
    assert has_meetings(TWO_CLUSTERS, 3)
    assert imbalance(TWO_CLUSTERS, 3) < 0.01
    slow = divided((8, 8, 0, 19, 0, 0), exchange=(4, 4, 0, 0.005, 0, 0))
    assert set(last_arrivers(slow, 3)) == {3}
    assert imbalance(slow, 3) == 0


def test_a_rank_that_others_wait_for_and_that_never_waits_meets_them():
    steps = divided((5, 20, 0), exchange=(15, 0, 0))
    assert rows_that_met(steps, 3).tolist() == [True, True, False]
    assert imbalance(steps, 3) == pytest.approx(15 / 20, abs=0.01)


def test_what_is_switched_moves_the_steps_of_those_that_work():
    """What the idle rank adds to itself moves nothing, and its lack of an exchange hides nobody's."""
    whole = np.array(HYBRID.slowest_ns)
    for change, left in (
        (Change(factor={Phase.COMMUNICATION: 0.5}), 14 / 16),
        (Change(added_ns={Phase.FORWARD: 4 * MS}), 20 / 16),
        (Change(added_ns={Phase.FORWARD: 4 * MS}, ranks=frozenset([2])), 1),
    ):
        assert np.median(replayed_ns(HYBRID, change, 3) / whole) == pytest.approx(left, abs=0.01)
    assert replayed(HYBRID, Change(), 3) == HYBRID


def test_of_many_ranks_the_medians_of_those_that_work_stand_for_the_others():
    whole = divided((12, 16, 12, 0), exchange=(4, 0.2, 4, 0))
    kept = (1, 0, 3)
    medians = {
        phase: tuple(np.median(rows, axis=1).astype(int).tolist())
        for phase, rows in whole.duration_ns.items()
    }
    summary = RankSummary(
        num_ranks=4,
        kept=kept,
        slowest_ns=whole.slowest_ns,
        median_step_ns=tuple(np.median(whole.step_ns, axis=1).astype(int).tolist()),
        median_ns=medians,
    )
    some = replace(
        whole,
        duration_ns={phase: tuple(rows[one] for one in kept) for phase, rows in whole.duration_ns.items()},
        step_ns=tuple(whole.step_ns[one] for one in kept),
        summary=summary,
    )
    assert imbalance(some, 4) == pytest.approx((16 - 40 / 3) / 16.2, abs=0.01)
