from dataclasses import replace

import numpy as np
import pytest

from saih.analyzer.analysis import analyze
from saih.analyzer.balance import balance_of
from saih.domain.point import Placement
from saih.domain.record import ADDITIVE_PHASES, Phase, RankSummary, Steps

TYPICAL = {Phase.FORWARD: 2e6, Phase.BACKWARD: 4e6, Phase.COMMUNICATION: 1e6}


def summarised(steps: Steps, kept: tuple[int, ...]) -> Steps:
    """The same steps with only some ranks kept whole."""

    def of(rows):
        return tuple(rows[rank] for rank in kept)

    def medians(rows):
        return tuple(int(value) for value in np.median(np.array(rows), axis=1))

    return replace(
        steps,
        duration_ns={phase: of(rows) for phase, rows in steps.duration_ns.items()},
        step_ns=of(steps.step_ns),
        summary=RankSummary(
            num_ranks=len(steps.step_ns),
            kept=kept,
            slowest_ns=steps.slowest_ns,
            median_step_ns=medians(steps.step_ns),
            median_ns={phase: medians(rows) for phase, rows in steps.duration_ns.items()},
        ),
    )


@pytest.fixture
def whole(synthetic):
    return synthetic.steps(TYPICAL, np.random.default_rng(1), ranks=64, count=10)


def analyzed(synthetic, steps, ranks=64):
    point = synthetic.point(
        placement=Placement(nodes=8, ranks_per_node=ranks // 8, data_parallel=ranks), exchange="ddp"
    )
    return analyze(
        "sweep", [synthetic.record(point, steps)], [], [], 1, find_workload=lambda name: synthetic.workload
    )


def test_summarised_ranks_give_the_balance_and_the_step_of_all_ranks(synthetic, whole):
    few = summarised(whole, (7, 30, 3))
    assert balance_of(few).slowest_rank == balance_of(whole).slowest_rank
    assert balance_of(few).imbalance == pytest.approx(balance_of(whole).imbalance)
    full, short = (analyzed(synthetic, steps).points[0] for steps in (whole, few))
    assert short.step_ns == full.step_ns
    assert short.samples_per_s == full.samples_per_s
    assert short.balance.num_ranks == 64


def test_phases_of_kept_ranks_that_are_far_from_the_slowest_are_told(synthetic, whole):
    slow = replace(
        summarised(whole, (7, 30, 3)).summary, slowest_ns=tuple(2 * step for step in whole.slowest_ns)
    )
    (warning, *_) = analyzed(synthetic, replace(summarised(whole, (7, 30, 3)), summary=slow)).warnings
    assert "3 of its 64 ranks were kept whole" in warning


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_ranks": 63}, "63 ranks were recorded; the placement has 64"),
        ({"kept": (7, 30)}, "not all of their 10 steps"),
        ({"median_step_ns": (1, 2)}, "does not hold a median of each of its 64 ranks"),
        ({"slowest_ns": (1,) * 10}, "faster than one of those kept whole"),
        ({"kept": (7, 30, 64)}, "keeps ranks beyond 64"),
    ],
)
def test_a_summary_that_does_not_fit_its_ranks_is_refused(synthetic, whole, change, words):
    few = summarised(whole, (7, 30, 3))
    broken = replace(few, summary=replace(few.summary, **change))
    (failed,) = analyzed(synthetic, broken).failed
    assert words in failed.reason


def test_a_bad_step_of_a_kept_rank_is_named_by_its_rank(synthetic, whole):
    few = summarised(whole, (7, 30, 3))
    rows = [list(row) for row in few.duration_ns[Phase.FORWARD]]
    rows[1][4] = -1
    broken = replace(few, duration_ns={**few.duration_ns, Phase.FORWARD: tuple(map(tuple, rows))})
    (failed,) = analyzed(synthetic, broken).failed
    assert "at step 4 on rank 30" in failed.reason


def test_one_rank_has_no_balance(synthetic):
    assert balance_of(synthetic.steps(TYPICAL, np.random.default_rng(2))) is None


def test_waiting_in_the_exchange_is_not_work(synthetic):
    even = synthetic.steps(
        dict.fromkeys(ADDITIVE_PHASES, 1000000.0), np.random.default_rng(3), ranks=2, sigma=0.0
    )
    waiting = (
        even.duration_ns[Phase.COMMUNICATION][0],
        tuple(9 * step for step in even.duration_ns[Phase.COMMUNICATION][1]),
    )
    steps = replace(even, duration_ns={**even.duration_ns, Phase.COMMUNICATION: waiting})
    assert balance_of(steps).imbalance == 1
