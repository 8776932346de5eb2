import math
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from mpi4py import MPI
from torch import Tensor, nn

from saih.domain.point import Timing
from saih.domain.record import ADDITIVE_PHASES, Outcome, Phase, Steps
from saih.harness.clock import device_clock
from saih.harness.exchange import NoExchange
from saih.harness.measure import Instruments, Measurement, measure
from workloads.protocol import Mark


class TinySession:
    """A linear fit whose parts last as long as they are told to [s]."""

    def __init__(self, *, produce_s: float = 0.0, step_s: float = 0.002, bad_step: int | None = None) -> None:
        self.produce_s, self.step_s, self.bad_step = produce_s, step_s, bad_step
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.num_steps = 0

    def produce(self, step: int) -> Tensor:
        time.sleep(self.produce_s)
        return torch.full((8, 4), 1.0 + step % 2)

    def step(self, batch: Tensor, mark: Mark) -> Tensor:
        self.num_steps += 1
        loss = (self.model(batch) - 3.0).square().mean()
        time.sleep(self.step_s)
        mark("forward")
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        mark("backward")
        self.optimizer.step()
        self.optimizer.zero_grad()
        mark("optimizer")
        return loss.detach() * (math.nan if self.num_steps == self.bad_step else 1.0)

    def close(self) -> None:
        self.num_steps = -1


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def measured(session: TinySession, timing: Timing) -> Measurement:
    instruments = Instruments(
        comm=MPI.COMM_SELF, clock=device_clock("cpu"), exchange=NoExchange(), beat=lambda place: None
    )
    return measure(session, timing, instruments)


def steps_of(measurement: Measurement) -> Steps:
    assert measurement.steps is not None
    return measurement.steps


def test_it_stops_when_the_median_is_known_and_says_how_well() -> None:
    measurement = measured(TinySession(), Timing(min_steps=8, relative_width=0.5, budget_s=5))
    steps = steps_of(measurement)
    assert measurement.ending.outcome is Outcome.COMPLETED
    assert measurement.stop_reason.startswith("interval ")
    assert measurement.stop_reason.endswith(f" % after {steps.num_steps} steps")
    assert steps.num_steps >= 8


def test_it_stops_when_the_budget_is_spent() -> None:
    measurement = measured(TinySession(step_s=0.02), Timing(relative_width=0.0, budget_s=0.2))
    assert measurement.stop_reason.startswith("budget of 0.2 s spent after ")
    assert sum(steps_of(measurement).slowest_ns) >= 0.2e9
    assert steps_of(measurement).num_steps <= 11  # each takes at least 20 ms


def test_it_stops_at_the_limit_of_steps() -> None:
    session = TinySession()
    measurement = measured(session, Timing(relative_width=0.0, min_steps=6, max_steps=12, warmup_steps=2))
    assert measurement.stop_reason.startswith("limit of 12 steps reached")
    assert steps_of(measurement).num_steps == 12
    assert session.num_steps == 15  # one more is counted, not timed


def test_phases_sum_to_each_step_exactly() -> None:
    steps = steps_of(measured(TinySession(), Timing(max_steps=20)))
    summed = sum(np.array(steps.duration_ns[phase]) for phase in ADDITIVE_PHASES)
    np.testing.assert_array_equal(summed, np.array(steps.step_ns))
    assert all(duration > 0 for duration in steps.duration_ns[Phase.FORWARD][0])
    assert np.median(steps.duration_ns[Phase.FORWARD]) > np.median(steps.duration_ns[Phase.OPTIMIZER])


def test_warm_up_is_never_in_the_steps_but_its_losses_are_kept() -> None:
    steps = steps_of(measured(TinySession(), Timing(warmup_steps=4, min_steps=6, max_steps=6)))
    assert steps.warmup_steps == 4
    assert steps.num_steps == 6
    assert len(steps.losses) == 10
    assert steps.losses[-1] < steps.losses[0]


def test_no_warm_up_is_possible() -> None:
    steps = steps_of(measured(TinySession(), Timing(warmup_steps=0, min_steps=6, max_steps=6)))
    assert (steps.num_steps, len(steps.losses)) == (6, 6)


def test_a_slow_loader_shows_as_input_wait() -> None:
    steps = steps_of(measured(TinySession(produce_s=0.05), Timing(warmup_steps=4, max_steps=12)))
    assert np.median(steps.duration_ns[Phase.INPUT_PRODUCE]) >= 50e6
    assert np.median(steps.duration_ns[Phase.INPUT_WAIT]) > 12e6


def test_a_loader_hidden_behind_the_step_shows_as_produce_only() -> None:
    steps = steps_of(measured(TinySession(produce_s=0.005, step_s=0.03), Timing(max_steps=12)))
    produce_ns = np.median(steps.duration_ns[Phase.INPUT_PRODUCE])
    assert produce_ns >= 5e6
    assert np.median(steps.duration_ns[Phase.INPUT_WAIT]) < produce_ns


@pytest.mark.parametrize("bad_step", [2, 7])
def test_a_loss_that_is_not_finite_ends_as_diverged_and_names_step_and_rank(bad_step: int) -> None:
    measurement = measured(TinySession(bad_step=bad_step), Timing(warmup_steps=3))
    assert measurement.ending.outcome is Outcome.DIVERGED
    assert f"the loss is nan at step {bad_step} on rank 0" in measurement.ending.reason
    assert measurement.steps is None


class TellingTinySession(TinySession):
    """Tells how many steps it was asked about, before one more is counted."""

    def tell(self, num_steps: int) -> dict[str, str]:
        return {"asked_steps": str(num_steps), "steps_then": str(self.num_steps)}


def test_what_a_session_tells_of_its_measured_steps_is_kept() -> None:
    timing = Timing(warmup_steps=2, min_steps=6, max_steps=6)
    assert measured(TellingTinySession(), timing).told == {"asked_steps": "6", "steps_then": "8"}
    assert measured(TinySession(), timing).told == {}
    assert measured(TellingTinySession(bad_step=3), timing).told == {}
