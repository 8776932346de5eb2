import pytest

from benchmarks.injected_causes import Cause
from benchmarks.injected_plan import added_ns, injections, predicted_ns
from benchmarks.interventions_runs import Step, Wanted

STEP = Step(step_ns=100e6, produce_ns=10e6)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.STORAGE])
def test_work_adds_its_dose_of_the_step(cause: Cause) -> None:
    assert added_ns(cause, 0.25, STEP) == 25e6


def test_reading_first_fills_what_the_step_hides() -> None:
    assert added_ns(Cause.STORAGE, 0.25, STEP) == 115e6
    slow = Step(step_ns=100e6, produce_ns=300e6)
    assert added_ns(Cause.STORAGE, 0.25, slow) == 25e6


def test_reading_beside_another_cause_fills_what_the_longer_step_hides() -> None:
    wanted = Wanted(causes=(Cause.STORAGE, Cause.EXCHANGE), dose=0.5)
    reading, exchange = injections(wanted, STEP, slow_rank=0)
    assert (reading.added_ns, exchange.added_ns) == (190e6, 50e6)


def test_two_causes_add_both() -> None:
    assert predicted_ns(Wanted(causes=(Cause.EXCHANGE, Cause.TINY), dose=0.5), STEP) == 100e6
    assert predicted_ns(Wanted(causes=(Cause.EXCHANGE, Cause.STORAGE), dose=0.5), STEP) == 100e6
    assert predicted_ns(Wanted(causes=(), dose=0.0), STEP) == 0


def test_a_slow_rank_is_the_one_that_was_drawn() -> None:
    (one,) = injections(Wanted(causes=(Cause.SLOW_RANK,), dose=0.5), STEP, slow_rank=1)
    assert (one.rank, one.cause, one.added_ns) == (1, Cause.SLOW_RANK, 50e6)
