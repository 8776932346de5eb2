import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from augment.problem import ProblemError
from saih.domain.study import Frontier
from saih.store.structure import from_json
from workloads.cosmoflow.pareto import Front, Interval, Rung, front_of

numbers = st.floats(0.01, 1.0)


def rung(cost: float, *losses: float) -> Rung:
    return Rung(
        target_flops_per_sample=cost,
        flops_per_sample=cost,
        model={"depth": 1, "width": 4},
        label="width 4, depth 1",
        settings={"learning_rate": 0.002},
        warm_start="",
        seeds=tuple(range(len(losses))),
        losses=losses,
    )


def front(*rungs: Rung) -> Front:
    return Front(
        subject="64 samples of 8^3 x 2 from 64 universes",
        metric="error",
        method="by hand",
        num_trials=9,
        num_pruned=5,
        rungs=rungs,
        baselines={"constant": 0.5},
    )


@settings(max_examples=20)
@given(st.lists(numbers, min_size=2, max_size=9))
def test_the_interval_is_students(losses: list[float]) -> None:
    found = Interval.of(losses)
    low, high = stats.t.interval(0.95, len(losses) - 1, np.mean(losses), max(stats.sem(losses), 1e-300))
    assert found.low == pytest.approx(low, rel=1e-3, abs=1e-3)
    assert found.high == pytest.approx(high, rel=1e-3, abs=1e-3)
    assert (found.value, found.count) == (pytest.approx(np.mean(losses)), len(losses))


def test_one_loss_is_its_own_interval() -> None:
    assert Interval.of([0.3]) == Interval(low=0.3, value=0.3, high=0.3, level=0.95, count=1)


@given(st.lists(st.tuples(st.integers(1, 5), numbers), min_size=1, max_size=8))
def test_what_is_on_the_front_is_beaten_by_nothing_as_cheap(found: list[tuple[int, float]]) -> None:
    one = front(*(rung(1e6 * cost, loss) for cost, loss in found))
    assert [each.flops_per_sample for each in one.rungs] == sorted(1e6 * cost for cost, _ in found)
    for each in one.rungs:
        rivals = [other for other in one.rungs if other.flops_per_sample <= each.flops_per_sample]
        assert each.is_on_front == all(each.loss.value <= other.loss.value for other in rivals)
    assert one.rungs[0].is_on_front or len(one.rungs) > 1


def test_a_front_is_read_again_as_it_was_told() -> None:
    one = replace(front(rung(1e6, 0.5, 0.4), rung(4e6, 0.3, 0.35)), deepened=(rung(4e6, 0.5),))
    assert front_of(json.loads(json.dumps(one.told))) == one


@pytest.mark.parametrize("damage", [{"rungs": None}, {"more": 1}, {"rungs": [{}]}])
def test_a_damaged_front_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ProblemError, match="search again"):
        front_of({**front(rung(1e6, 0.5)).told, **damage})


def test_what_is_told_is_what_results_keep() -> None:
    one = replace(front(rung(1e6, 0.5, 0.4), rung(4e6, 0.3, 0.35)), deepened=(rung(4e6, 0.5),))
    kept = from_json(Frontier, json.loads(json.dumps(one.told)))
    assert [learned.losses for learned in kept.rungs] == [each.losses for each in one.rungs]
    assert [learned.is_on_front for learned in kept.rungs] == [True, True]
    assert kept.deepened[0].loss.count == 1
