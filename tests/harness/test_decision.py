from hypothesis import given
from hypothesis import strategies as st

from saih.domain.interval import median_interval
from saih.domain.point import Timing
from saih.harness.decision import CHECK_EVERY_NS, MAX_CHUNK, decide

MS = 1_000_000


def test_equal_steps_are_sure_at_the_minimum() -> None:
    decision = decide([5 * MS] * 10, 0.0, Timing(min_steps=10))
    assert decision.num_steps == 0
    assert decision.reason == "interval 0.0 % after 10 steps"


def test_fewer_than_six_steps_are_never_sure() -> None:
    assert decide([5 * MS] * 5, 0.0, Timing(min_steps=2)).num_steps > 0
    assert decide([5 * MS] * 6, 0.0, Timing(min_steps=2)).num_steps == 0


def test_a_spent_budget_is_named_with_the_width_it_left() -> None:
    steps = [600 * MS, 900 * MS] * 10
    decision = decide(steps, 0.0, Timing(budget_s=15.0))
    assert decision.num_steps == 0
    assert decision.reason == "budget of 15 s spent after 20 steps, interval 40.0 %"


def test_a_budget_spent_before_the_minimum_says_so() -> None:
    decision = decide([9000 * MS] * 3, 0.0, Timing(budget_s=20.0, min_steps=10))
    assert decision.reason == "budget of 20 s spent after 3 of at least 10 steps, interval 0.0 %"


def test_the_limit_of_steps_is_named() -> None:
    decision = decide([5 * MS, 9 * MS] * 10, 0.0, Timing(max_steps=20))
    assert decision.reason.startswith("limit of 20 steps reached, interval ")


def test_the_first_chunk_follows_the_warm_up() -> None:
    timing = Timing(max_steps=1000)
    assert decide([], 0.0, timing).num_steps == 1
    assert decide([], 50.0 * MS, timing).num_steps == CHECK_EVERY_NS // (50 * MS)
    assert decide([], 4e9, timing).num_steps == 1
    assert decide([], 1.0, timing).num_steps == MAX_CHUNK


def test_a_chunk_does_not_outrun_the_budget() -> None:
    assert decide([100 * MS, 101 * MS], 0.0, Timing(budget_s=0.301)).num_steps == 1


@given(
    st.lists(st.integers(min_value=1, max_value=10**10), min_size=1, max_size=60),
    st.integers(min_value=1, max_value=60),
    st.floats(min_value=0.01, max_value=30),
    st.floats(min_value=0.0, max_value=0.5),
)
def test_it_stops_only_for_a_stated_reason_and_never_beyond_its_limits(
    steps: list[int], max_steps: int, budget_s: float, width: float
) -> None:
    timing = Timing(min_steps=1, max_steps=max_steps, budget_s=budget_s, relative_width=width)
    decision = decide(steps, 0.0, timing)
    is_sure = len(steps) >= 6 and median_interval(steps).relative_width <= width
    is_spent = sum(steps) >= budget_s * 1e9 or len(steps) >= max_steps
    assert (decision.num_steps == 0) is (is_sure or is_spent)
    assert bool(decision.reason) is (decision.num_steps == 0)
    assert decision.num_steps == 0 or len(steps) + decision.num_steps <= max_steps
