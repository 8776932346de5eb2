"""Runs that no record tells of are missed, and contended ones wanted again."""

from benchmarks.injected_causes import Cause
from benchmarks.interventions_runs import Wanted, lost, not_judged
from benchmarks.interventions_scoring import Judged
from saih.domain.interval import Interval
from saih.domain.trend import Limit

NO_CHANGE = Interval(low=0.0, value=0.0, high=0.0, level=0.95, count=9)
SLOW, SHAM = Wanted(causes=(Cause.ARITHMETIC,), dose=0.5), Wanted(causes=(), dose=0.0)


def run(wanted: Wanted, *, is_contended: bool = False) -> Judged:
    return Judged(
        causes=tuple(str(cause) for cause in wanted.causes),
        right=(),
        dose=wanted.dose,
        named=None,
        ranking=(),
        verdict=Limit.UNKNOWN,
        added_ns=NO_CHANGE,
        predicted_ns=0.0,
        is_contended=is_contended,
    )


def test_a_run_without_a_record_is_lost_as_often_as_it_was_wanted() -> None:
    assert lost([SLOW, SLOW, SHAM], [run(SLOW)]) == [SLOW, SHAM]
    assert lost([SLOW, SHAM], [run(SHAM), run(SLOW)]) == []


def test_a_contended_run_is_wanted_again_until_one_was_not() -> None:
    first = [run(SLOW, is_contended=True), run(SLOW), run(SHAM)]
    assert not_judged([SLOW, SLOW, SHAM], first) == [SLOW]
    assert not_judged([SLOW, SLOW, SHAM], [*first, run(SLOW)]) == []
    assert lost([SLOW, SLOW, SHAM], first) == []
