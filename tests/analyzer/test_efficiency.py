from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.efficiency import computation_scaling, efficiency_of
from saih.domain.record import ADDITIVE_PHASES, Phase, RankSummary
from tests.analyzer.meeting import MS, Causes, meeting_steps


def test_one_slow_rank_shows_as_load_balance_alone():
    steps = meeting_steps(Causes(slow=2.0, transfer=0), np.random.default_rng(71), ranks=4)
    found = efficiency_of(steps)
    assert found.load_balance.value == pytest.approx((3 * 6 + 12) / 4 / 12, abs=0.01)
    assert found.transfer.value == pytest.approx(1, abs=0.001)
    assert found.serialisation.value == pytest.approx(1, abs=0.02)
    assert found.num_ranks == 4


def test_a_slow_network_shows_as_transfer_alone():
    found = efficiency_of(meeting_steps(Causes(transfer=6 * MS), np.random.default_rng(72), ranks=4))
    assert found.transfer.value == pytest.approx(6 / 12, abs=0.02)
    assert found.load_balance.value == pytest.approx(1, abs=0.02)
    assert found.serialisation.value > 0.95


def test_work_that_takes_turns_in_being_late_shows_as_serialisation():
    """Every rank has the same work over all steps, but at each another one is last."""
    found = efficiency_of(
        meeting_steps(Causes(uneven=0.6, transfer=0), np.random.default_rng(73), ranks=4, count=400)
    )
    assert found.load_balance.value > 0.9
    assert found.serialisation.value < 0.7
    assert found.transfer.value > 0.99


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_each_efficiency_is_the_product_of_its_parts(ranks):
    causes = Causes(slow=1.4, uneven=0.2, transfer=2 * MS)
    found = efficiency_of(meeting_steps(causes, np.random.default_rng(74), ranks=ranks))
    assert found.parallel.value == pytest.approx(found.load_balance.value * found.communication.value)
    assert found.communication.value == pytest.approx(found.serialisation.value * found.transfer.value)
    for part in (
        found.parallel,
        found.load_balance,
        found.communication,
        found.serialisation,
        found.transfer,
    ):
        assert 0 < part.low <= part.value <= part.high <= 1.001
        assert part.count == 40


def test_one_rank_loses_only_what_its_input_takes():
    found = efficiency_of(meeting_steps(Causes(decode=20 * MS), np.random.default_rng(75), ranks=1))
    assert (found.load_balance.value, found.transfer.value) == (1.0, 1.0)
    assert found.serialisation.value == pytest.approx(6 / 20, abs=0.03)


def test_many_ranks_of_which_three_were_kept_give_the_same_numbers():
    whole = meeting_steps(Causes(slow=2.0), np.random.default_rng(76), ranks=9)
    columns = {phase: np.asarray(rows) for phase, rows in whole.duration_ns.items()}
    kept = (8, 3, 1)
    medians = {phase: tuple(np.median(columns[phase], axis=1).astype(int).tolist()) for phase in columns}
    summary = RankSummary(
        num_ranks=9,
        kept=kept,
        slowest_ns=whole.slowest_ns,
        median_step_ns=tuple(np.median(whole.step_ns, axis=1).astype(int).tolist()),
        median_ns=medians,
    )
    some = replace(
        whole,
        duration_ns={phase: tuple(rows[one] for one in kept) for phase, rows in whole.duration_ns.items()},
        step_ns=tuple(whole.step_ns[one] for one in kept),
        meters={},
        summary=summary,
    )
    before, after = efficiency_of(whole), efficiency_of(some)
    assert after.num_ranks == 9
    for name in ("parallel", "load_balance", "transfer"):
        assert getattr(after, name).value == pytest.approx(getattr(before, name).value, rel=0.02)


def test_computation_scaling_tells_when_the_same_work_costs_more():
    base = efficiency_of(meeting_steps(Causes(), np.random.default_rng(77), ranks=1))
    dear = efficiency_of(meeting_steps(Causes(work=9 * MS), np.random.default_rng(78), ranks=4))
    found = computation_scaling(base, dear, 2, 8)
    assert found.low <= 6 / 9 <= found.high
    assert found.value == pytest.approx(6 / 9, rel=0.03)


def test_the_additive_phases_of_the_samples_sum_to_their_steps():
    steps = meeting_steps(Causes(uneven=0.3), np.random.default_rng(79), ranks=3)
    total = np.sum([np.asarray(steps.duration_ns[phase]) for phase in ADDITIVE_PHASES], axis=0)
    np.testing.assert_array_equal(total, np.asarray(steps.step_ns))
    assert min(steps.duration_ns[Phase.COMMUNICATION][0]) > 0
