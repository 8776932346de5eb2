from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.interventions_runs import Step, Wanted
from benchmarks.interventions_scoring import Judged
from benchmarks.outside import amount, is_right_or_refused, report, wanted_runs
from benchmarks.outside_causes import (
    RIGHT,
    Measure,
    Outside,
    Places,
    read_measure,
    read_places,
    write_places,
    write_plan,
)
from saih.domain.interval import Interval
from saih.domain.trend import Limit

STEP = Step(step_ns=100e6, produce_ns=1e6)


def run(cause: Outside, named: Limit | None) -> Judged:
    return Judged(
        causes=(str(cause),),
        right=(RIGHT[cause],),
        dose=1.0,
        named=named,
        ranking=(named,) if named else (),
        verdict=named or Limit.MIXED,
        added_ns=Interval(low=1.0, value=2.0, high=3.0, level=0.95, count=9),
        predicted_ns=0.0,
        is_contended=False,
    )


def wanted(cause: Outside, dose: float = 1.0) -> Wanted:
    return Wanted(causes=(cause,), dose=dose)


def test_stronger_causes_leave_less() -> None:
    for cause in (Outside.NETWORK, Outside.STORAGE, Outside.QUOTA):
        weak, strong = (amount(wanted(cause, dose), STEP, 10_000) for dose in (0.5, 1.0))
        assert 0 < strong < weak


def test_a_throttled_disk_gives_the_batches_of_all_ranks_in_the_longer_step() -> None:
    assert amount(wanted(Outside.STORAGE), STEP, 10_000) == pytest.approx(2 * 10_000 / 0.2)


def test_a_refusal_counts_only_with_its_reason() -> None:
    right, wrong = run(Outside.HOG, Limit.CONTENTION), run(Outside.HOG, Limit.COMPUTE)
    assert is_right_or_refused(right)
    assert not is_right_or_refused(wrong)
    refused = replace(wrong, is_contended=True)
    assert not is_right_or_refused(refused)
    assert is_right_or_refused(replace(refused, reason="The point is contended."))


def test_false_claims_miss_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    right = [run(Outside.NETWORK, Limit.INTERCONNECT)] * 9
    assert report([*right, run(Outside.NETWORK, Limit.INPUT)], 0) == 0
    assert report([*right[:3], run(Outside.NETWORK, Limit.INPUT)], 0) == 1
    assert "FAIL" in capsys.readouterr().out


def test_plans_and_places_are_read_as_they_were_laid(tmp_path: Path) -> None:
    measure = Measure(cause=Outside.QUOTA, amount=0.5)
    places = Places(keepers=(1, 2), device="254:0", groups={"cpu": "/g"})
    assert read_measure(tmp_path, 3) is None
    write_plan(tmp_path, {3: measure})
    write_places(tmp_path, places)
    assert read_measure(tmp_path, 3) == measure
    assert read_measure(tmp_path, 4) is None
    assert read_places(tmp_path) == places


def test_every_cause_that_is_there_is_wanted_and_a_sham() -> None:
    found = wanted_runs([Outside.HOG, Outside.QUOTA], is_quick=True)
    assert [one.causes for one in found] == [(Outside.HOG,), (Outside.QUOTA,), ()]
