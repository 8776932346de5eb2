from hypothesis import given
from hypothesis import strategies as st

from saih.domain.record import ADDITIVE_PHASES, Phase
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

    def take(self, end_ns: int) -> Communication:
        self.ends.append(end_ns)
        return self.communication


class FakeClock:
    def __init__(self) -> None:
        self.now_ns = 1000

    def __call__(self) -> int:
        return self.now_ns


def named(row: list[int]) -> dict[Phase, int]:
    return dict(zip(COLUMNS, row, strict=True))


def test_each_phase_gets_the_time_since_the_last_mark_and_other_the_rest() -> None:
    clock, exchange = FakeClock(), FakeExchange(total_ns=9, exposed_ns=4)
    timer = StepTimer(clock, exchange)
    timer.begin()
    for phase, duration in (("input_wait", 5), ("input_wait", 2), ("forward", 10), ("backward", 20)):
        clock.now_ns += duration
        timer.mark(phase)  # type: ignore[arg-type]  # names of phases in a loop
    timer.produced(77)
    clock.now_ns += 3
    row = named(timer.end())
    assert row == {
        Phase.INPUT_WAIT: 7,
        Phase.FORWARD: 10,
        Phase.BACKWARD: 16,
        Phase.COMMUNICATION: 4,
        Phase.OPTIMIZER: 0,
        Phase.OTHER: 3,
        Phase.INPUT_PRODUCE: 77,
        Phase.COMMUNICATION_TOTAL: 9,
    }
    assert exchange.ends == [-1, 1037]  # noted first, then taken at the moment the clock read


def test_exposed_communication_is_never_more_than_the_backward_pass() -> None:
    clock = FakeClock()
    timer = StepTimer(clock, FakeExchange(total_ns=500, exposed_ns=100))
    timer.begin()
    clock.now_ns += 40
    timer.mark("backward")
    row = named(timer.end())
    assert (row[Phase.BACKWARD], row[Phase.COMMUNICATION], row[Phase.COMMUNICATION_TOTAL]) == (0, 40, 500)


MARKS = st.tuples(st.sampled_from(ADDITIVE_PHASES), st.integers(min_value=0, max_value=10**9))


@given(st.lists(st.lists(MARKS, max_size=8), min_size=1, max_size=4), st.integers(0, 10**9))
def test_additive_phases_sum_to_contiguous_steps(
    steps: list[list[tuple[Phase, int]]], exposed_ns: int
) -> None:
    clock = FakeClock()
    timer = StepTimer(clock, FakeExchange(total_ns=0, exposed_ns=exposed_ns))
    timer.begin()
    begin_ns, total_ns = clock.now_ns, 0
    for marks in steps:
        for phase, duration in marks:
            clock.now_ns += duration
            timer.mark(phase.value)
        row = named(timer.end())
        assert all(duration >= 0 for duration in row.values())
        total_ns += sum(row[phase] for phase in ADDITIVE_PHASES)
    assert total_ns == clock.now_ns - begin_ns
