from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from saih.domain.record import STEP_PHASES, Phase
from saih.harness.exchange import Communication
from saih.harness.phases import COLUMNS, StepTimer


class FakeExchange:
    """Reports what it was told to."""

    def __init__(self, total_ns: int, exposed_ns: int) -> None:
        self.communication = Communication(total_ns=total_ns, exposed_ns=exposed_ns)
        self.ends: list[int] = []

    def attach(self, model: object) -> object:
        return model

    def end_backward(self) -> None:
        self.ends.append(-1)

    def take(self, ends_ns: Sequence[int]) -> list[Communication]:
        self.ends += ends_ns
        return [self.communication] * len(ends_ns)


class FakeClock:
    def __init__(self) -> None:
        self.now_ns = 1000

    def __call__(self) -> int:
        return self.now_ns


def named(timer: StepTimer) -> list[dict[Phase, int]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in timer.rows()]


def test_each_phase_gets_the_time_since_the_last_mark_and_other_the_rest() -> None:
    clock, exchange = FakeClock(), FakeExchange(total_ns=9, exposed_ns=4)
    timer = StepTimer(clock, exchange)
    timer.begin()
    for phase, duration in (("input_wait", 5), ("input_wait", 2), ("forward", 10), ("backward", 20)):
        clock.now_ns += duration
        timer.mark(phase)  # type: ignore[arg-type]  # names of phases in a loop
    clock.now_ns += 3
    timer.end()
    (row,) = named(timer)
    assert row == {
        Phase.INPUT_WAIT: 7,
        Phase.FORWARD: 10,
        Phase.BACKWARD: 16,
        Phase.COMMUNICATION: 4,
        Phase.OPTIMIZER: 0,
        Phase.OTHER: 3,
        Phase.INPUT_PRODUCE: 0,
        Phase.COMMUNICATION_TOTAL: 9,
        Phase.STAGE_WAIT: 0,
    }
    assert exchange.ends == [-1, 1037]  # noted first, then taken at the moment the clock read


def test_exposed_communication_is_never_more_than_the_backward_pass() -> None:
    clock = FakeClock()
    timer = StepTimer(clock, FakeExchange(total_ns=500, exposed_ns=100))
    timer.begin()
    clock.now_ns += 40
    timer.mark("backward")
    timer.end()
    (row,) = named(timer)
    assert (row[Phase.BACKWARD], row[Phase.COMMUNICATION], row[Phase.COMMUNICATION_TOTAL]) == (0, 40, 500)


def test_waiting_for_other_stages_is_no_communication() -> None:
    clock = FakeClock()
    timer = StepTimer(clock, FakeExchange(total_ns=0, exposed_ns=0))
    timer.begin()
    for phase, duration in (("stage_wait", 5), ("communication", 2), ("forward", 10), ("stage_wait", 20)):
        clock.now_ns += duration
        timer.mark(phase)  # type: ignore[arg-type]  # names of phases in a loop
    timer.end()
    (row,) = named(timer)
    assert (row[Phase.STAGE_WAIT], row[Phase.COMMUNICATION], row[Phase.COMMUNICATION_TOTAL]) == (25, 2, 2)
    assert sum(row[phase] for phase in STEP_PHASES) == 37


MARKS = st.tuples(st.sampled_from(STEP_PHASES), st.integers(min_value=0, max_value=10**9))


@given(st.lists(st.lists(MARKS, max_size=8), min_size=1, max_size=4), st.integers(0, 10**9))
def test_additive_phases_sum_to_contiguous_steps(
    steps: list[list[tuple[Phase, int]]], exposed_ns: int
) -> None:
    clock = FakeClock()
    timer = StepTimer(clock, FakeExchange(total_ns=0, exposed_ns=exposed_ns))
    timer.begin()
    for marks in steps:
        for phase, duration in marks:
            clock.now_ns += duration
            timer.mark(phase.value)
        timer.end()
    rows = named(timer)
    assert all(duration >= 0 for row in rows for duration in row.values())
    assert [sum(row[phase] for phase in STEP_PHASES) for row in rows] == [
        sum(duration for _, duration in marks) for marks in steps
    ]


def test_marks_before_the_begin_and_behind_the_last_step_count_for_no_step() -> None:
    clock = FakeClock()
    timer = StepTimer(clock, FakeExchange(total_ns=0, exposed_ns=0))
    timer.mark("forward")
    timer.begin()
    clock.now_ns += 4
    timer.mark("optimizer")
    timer.end()
    clock.now_ns += 100
    timer.mark("forward")
    (row,) = named(timer)
    assert sum(row.values()) == row[Phase.OPTIMIZER] == 4


def test_communication_that_a_workload_marks_itself_is_all_exposed() -> None:
    clock = FakeClock()
    timer = StepTimer(clock, FakeExchange(total_ns=0, exposed_ns=0))
    timer.begin()
    for phase, duration in (("forward", 10), ("communication", 4), ("forward", 20), ("communication", 1)):
        clock.now_ns += duration
        timer.mark(phase)  # type: ignore[arg-type]  # names of phases in a loop
    timer.end()
    (row,) = named(timer)
    assert (row[Phase.FORWARD], row[Phase.COMMUNICATION], row[Phase.COMMUNICATION_TOTAL]) == (30, 5, 5)


def test_a_backward_pass_may_wait_for_other_ranks_in_its_middle() -> None:
    clock, exchange = FakeClock(), FakeExchange(total_ns=9, exposed_ns=4)
    timer = StepTimer(clock, exchange)
    timer.begin()
    parts = (("backward_part", 20), ("communication", 6), ("backward_part", 5), ("communication", 1))
    for phase, duration in (("forward", 10), *parts, ("backward", 30)):
        clock.now_ns += duration
        timer.mark(phase)  # type: ignore[arg-type]  # names of phases in a loop
    timer.end()
    (row,) = named(timer)
    assert row[Phase.BACKWARD] == 20 + 5 + 30 - 4
    assert row[Phase.COMMUNICATION] == 6 + 1 + 4
    assert row[Phase.COMMUNICATION_TOTAL] == 6 + 1 + 9
    assert exchange.ends == [-1, 1072]  # gradients are exchanged once
