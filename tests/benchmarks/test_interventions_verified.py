import pytest

from benchmarks.injected_causes import RIGHT, Cause
from benchmarks.interventions_scoring import Judged
from benchmarks.interventions_verified import chosen, plan_for, report_tested
from saih.domain.interval import Interval
from saih.domain.trend import Limit
from saih.domain.verification import Intervention


def run(seed: int, cause: Cause, named: Limit | None, dose: float = 1.0) -> Judged:
    return Judged(
        causes=(str(cause),),
        right=(RIGHT[cause],),
        dose=dose,
        named=named,
        ranking=(),
        verdict=Limit.MIXED,
        added_ns=Interval(low=1.0, value=2.0, high=3.0, level=0.95, count=9),
        predicted_ns=2.0,
        is_contended=False,
        seed=seed,
    )


def test_the_strongest_of_each_cause_and_every_false_claim_are_tested() -> None:
    runs = [
        run(1, Cause.TINY, Limit.LAUNCH, dose=0.25),
        run(2, Cause.TINY, Limit.LAUNCH, dose=1.0),
        run(3, Cause.TINY, Limit.COMPUTE),
        run(4, Cause.TINY, Limit.CONTENTION),
        run(5, Cause.EXCHANGE, Limit.INTERCONNECT),
        run(6, Cause.EXCHANGE, None),
    ]
    assert [one.seed for one in chosen(runs, 1)] == [2, 5, 3]


@pytest.mark.parametrize("limit", RIGHT.values())
def test_what_was_named_decides_what_is_switched(limit: Limit) -> None:
    plan = plan_for(limit)
    assert plan.interventions[0] is Intervention.SHAM
    assert len(set(plan.interventions)) == 3


def test_a_verified_false_claim_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [run(1, Cause.TINY, Limit.LAUNCH), run(2, Cause.TINY, Limit.COMPUTE)]
    assert report_tested(runs, {1: "verified", 2: "refuted"})[0][1] == 0
    assert report_tested(runs, {1: "verified", 2: "verified"})[0][1] == 1
    assert "1 verified" in capsys.readouterr().out
