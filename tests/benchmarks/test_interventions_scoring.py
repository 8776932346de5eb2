import math
from dataclasses import replace

import pytest

from benchmarks.injected_causes import RIGHT, Cause
from benchmarks.interventions import bars, meets, wanted_runs
from benchmarks.interventions_scoring import (
    Judged,
    Score,
    confusion,
    dose_slope,
    is_named_alone,
    leads_beside_contention,
    name_of,
    score,
    shares,
    table,
)
from saih.domain.interval import Interval
from saih.domain.trend import Limit


def about(value: float) -> Interval:
    return Interval(low=0.9 * value, value=value, high=1.1 * value, level=0.95, count=20)


def run(*causes: Cause, named: Limit | None, ranking: tuple[Limit, ...] = ()) -> Judged:
    return Judged(
        causes=tuple(str(cause) for cause in causes),
        right=tuple(RIGHT[cause] for cause in causes),
        dose=0.5,
        named=named,
        ranking=ranking or ((named,) if named is not None else ()),
        verdict=named or Limit.COMPUTE,
        added_ns=about(50.0),
        predicted_ns=50.0,
        is_contended=False,
    )


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_is_named_right_by_its_own_class_alone(cause: Cause) -> None:
    for limit in RIGHT.values():
        expected = Score.RIGHT if limit is RIGHT[cause] else Score.FALSE
        assert score(run(cause, named=limit)) is expected


def test_a_class_for_every_cause_and_no_class_for_two() -> None:
    assert len(set(RIGHT.values())) == len(RIGHT) == len(Cause)


@pytest.mark.parametrize("nobody", [None, Limit.MIXED, Limit.UNEXPLAINED, Limit.UNKNOWN])
def test_naming_nobody_is_neither_right_nor_false(nobody: Limit | None) -> None:
    assert score(run(Cause.DECODE, named=nobody)) is Score.NEITHER


def test_a_sham_is_right_when_nothing_is_found() -> None:
    assert score(run(named=None)) is Score.RIGHT
    assert score(run(named=Limit.MIXED)) is Score.NEITHER
    assert score(run(named=Limit.INPUT)) is Score.FALSE


def test_of_two_causes_both_must_take_most() -> None:
    both = (Limit.COMPUTE, Limit.INTERCONNECT, Limit.INPUT)
    pair = (Cause.EXCHANGE, Cause.ARITHMETIC)
    assert score(run(*pair, named=Limit.MIXED, ranking=both)) is Score.RIGHT
    assert score(run(*pair, named=Limit.COMPUTE, ranking=both)) is Score.RIGHT
    wrong = (Limit.COMPUTE, Limit.INPUT, Limit.INTERCONNECT)
    assert score(run(*pair, named=Limit.COMPUTE, ranking=wrong)) is Score.FALSE
    vague = (Limit.UNEXPLAINED, Limit.COMPUTE, Limit.INTERCONNECT)
    assert score(run(*pair, named=Limit.UNEXPLAINED, ranking=vague)) is Score.NEITHER


def test_a_contended_run_is_not_counted_whatever_was_said() -> None:
    refused = replace(run(Cause.DECODE, named=Limit.COMPUTE), is_contended=True)
    assert score(refused) is Score.CONTENDED
    right = run(Cause.DECODE, named=Limit.INPUT)
    assert shares([refused, right]) == {Score.RIGHT: 1.0, Score.FALSE: 0.0, Score.NEITHER: 0.0}
    assert all(math.isnan(share) for share in shares([refused]).values())


def test_no_bar_is_met_where_every_run_was_refused(capsys: pytest.CaptureFixture[str]) -> None:
    refused = [replace(one, is_contended=True) for one in (run(Cause.TINY, named=None), run(named=None))]
    assert not any(meets(*bar) for bar in bars(refused))
    assert capsys.readouterr().out.count("FAIL") == 5


def test_unexplained_counts_against_the_share_named_right() -> None:
    runs = [run(Cause.TINY, named=Limit.LAUNCH), run(Cause.TINY, named=Limit.UNEXPLAINED)]
    assert shares(runs) == {Score.RIGHT: 0.5, Score.FALSE: 0.0, Score.NEITHER: 0.5}


def test_the_matrix_has_what_was_said_of_each_cause() -> None:
    runs = [
        run(Cause.TINY, named=Limit.LAUNCH),
        run(Cause.TINY, named=Limit.COMPUTE),
        run(named=None),
        replace(run(Cause.TINY, named=Limit.MIXED), is_contended=True),
        run(Cause.TINY, Cause.DECODE, named=Limit.MIXED, ranking=(Limit.INPUT, Limit.LAUNCH)),
    ]
    found = confusion(runs)
    assert found[str(Cause.TINY)] == {"launch/host": 1, "compute": 1, "contended": 1}
    assert found["nothing (sham)"] == {"nothing": 1}
    assert found[f"{Cause.TINY} + {Cause.DECODE}"] == {"both": 1}
    assert [name_of(one) for one in runs] == ["launch/host", "compute", "nothing", "contended", "both"]
    lines = table(runs).splitlines()
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_the_slope_of_doses_is_one_where_the_step_grew_by_what_was_put_in() -> None:
    runs = [
        replace(run(Cause.TINY, named=Limit.LAUNCH), predicted_ns=put_in, added_ns=about(factor * put_in))
        for put_in, factor in ((10.0, 0.9), (20.0, 1.0), (40.0, 1.1), (40.0, 30.0), (30.0, 1.0))
    ]
    slope = dose_slope(runs)
    assert slope is not None
    assert slope.value == 1.0
    assert slope.low <= 1.0 <= slope.high
    assert dose_slope([replace(one, is_contended=True) for one in runs]) is None


def test_a_verdict_by_itself_counts_as_what_it_says() -> None:
    named = run(Cause.EXCHANGE, named=Limit.INTERCONNECT)
    assert is_named_alone(named)
    assert not is_named_alone(replace(named, verdict=Limit.COMPUTE))


def test_bars_are_missed_by_a_single_false_claim_in_ten() -> None:
    right = [run(Cause.EXCHANGE, named=Limit.INTERCONNECT)] * 9
    values = {name: value for name, value, _, _ in bars([*right, run(Cause.EXCHANGE, named=Limit.INPUT)])}
    assert values["named right"] == 0.9
    assert values["false claims"] == 0.1


def test_every_cause_is_wanted_at_three_doses_with_shams_and_pairs() -> None:
    wanted = wanted_runs(tuple(Cause), is_quick=False)
    for cause in Cause:
        assert len({one.dose for one in wanted if one.causes == (cause,)}) == 3
    assert sum(not one.causes for one in wanted) >= 10
    assert sum(len(one.causes) == 2 for one in wanted) >= 5


def test_contention_aside_the_cause_must_come_first() -> None:
    ranking = (Limit.CONTENTION, Limit.LAUNCH, Limit.INPUT)
    assert leads_beside_contention(run(Cause.TINY, named=Limit.CONTENTION, ranking=ranking))
    assert not leads_beside_contention(run(Cause.DECODE, named=Limit.CONTENTION, ranking=ranking))
    assert not leads_beside_contention(run(named=None, ranking=ranking))
