"""Windows without and with interventions: what is switched, in which order, and that all is put back."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from mpi4py import MPI
from torch import Tensor, nn

from saih.domain.point import Meeting
from saih.domain.record import Phase
from saih.domain.verification import (
    FULL,
    LOADS,
    NEEDS_GRADIENTS,
    NEEDS_RANKS,
    NOTHING,
    QUICK,
    Intervention,
    Toggle,
    VerifyPlan,
)
from saih.harness.clock import device_clock, host_ns
from saih.harness.exchange import NoExchange
from saih.harness.intervention import SwitchedExchange, SwitchedSession
from saih.harness.intervention_load import Load, price_ns, priced_loads
from saih.harness.measure import Instruments
from saih.harness.verify import Order, Switching, switch_session
from saih.harness.verify_schedule import (
    Calibration,
    num_settle_steps,
    num_window_steps,
    schedule,
    toggles_of,
)
from workloads.protocol import Mark, PhaseName

TINY = VerifyPlan(num_pairs=2, pairs_per_dose=1, doses=(0.2, 0.5), window_s=0.001, settle_s=0.0)
FOUND = Calibration(step_ns=1e8, produce_ns=2e7, slowest_rank=1, meeting="gradients")


class Counting:
    """A linear fit that remembers what was asked of it."""

    def __init__(self, *, bad_steps: range = range(0)) -> None:
        torch.manual_seed(1)
        self.model = nn.Linear(4, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01)
        self.num_produced = self.num_steps = 0
        self.bad_steps = bad_steps
        self.phases: list[PhaseName] = []

    def produce(self, step: int) -> Tensor:
        self.num_produced += 1
        return torch.full((8, 4), 1.0 + step % 2)

    def step(self, batch: Tensor, mark: Mark) -> Tensor:
        self.num_steps += 1
        loss = (self.model(batch) - 3.0).square().mean()
        mark("forward")
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        mark("backward")
        self.optimizer.step()
        self.optimizer.zero_grad()
        mark("optimizer")
        return loss.detach() * (float("nan") if self.num_steps in self.bad_steps else 1.0)

    def close(self) -> None:
        self.num_steps = -1


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def switched(session: Counting) -> tuple[SwitchedSession, SwitchedExchange]:
    exchange = SwitchedExchange(NoExchange())
    exchange.attach(session.model)
    return SwitchedSession(session, exchange, "cpu", 0), exchange


def run(session: Counting, plan: VerifyPlan, meeting: Meeting = "never") -> tuple[Switching, list[Toggle]]:
    inside, exchange = switched(session)
    instruments = Instruments(
        comm=MPI.COMM_SELF, clock=device_clock("cpu"), exchange=exchange, beat=lambda place: None
    )
    order = Order(plan=plan, seed=7, warmup_steps=1, device="cpu", meeting=meeting)
    heard: list[Toggle] = []
    return switch_session(inside, order, instruments, lambda done, total, one: heard.append(one)), heard


def test_every_toggle_gets_its_pairs_of_windows_and_the_weights_are_put_back() -> None:
    session = Counting()
    before = [tensor.clone() for tensor in session.model.parameters()]
    switching, heard = run(session, TINY)
    assert all(torch.equal(one, other) for one, other in zip(before, session.model.parameters(), strict=True))
    found = {(one.toggle.intervention, one.toggle.dose_ns): len(one.pairs) for one in switching.runs}
    assert Counter(intervention for intervention, _ in found) == {
        Intervention.SHAM: 1,
        Intervention.DUMMY_INPUT: 1,
        Intervention.DELAYED_INPUT: 2,
        Intervention.EXTRA_ARITHMETIC: 2,
        Intervention.EXTRA_TRAFFIC: 2,
        Intervention.EXTRA_LAUNCHES: 2,
    }
    assert all(count == (1 if one in LOADS else 2) for (one, _), count in found.items())
    assert len(heard) == sum(found.values()) == TINY.num_pairs_of("never")
    for one in switching.runs:
        for pair in one.pairs:
            assert min(*pair.off_ns, *pair.on_ns) > 0
            assert len(pair.off_ns) == len(pair.on_ns) >= 8
            assert (pair.took_ns > 0) == (one.toggle.intervention in LOADS)
    assert switching.off_phases_ns[Phase.FORWARD] > 0
    assert switching.num_diverged == 0


def test_windows_whose_loss_is_not_finite_are_dropped_and_counted() -> None:
    switching, _ = run(Counting(bad_steps=range(100, 101)), TINY)
    assert switching.num_diverged == 1
    assert sum(len(one.pairs) for one in switching.runs) == TINY.num_pairs_of("never") - 1


def test_a_session_that_fails_is_not_hidden() -> None:
    class Failing(Counting):
        def produce(self, step: int) -> Tensor:
            if step >= 60:
                raise OSError("the disk went away")
            return super().produce(step)

    with pytest.raises(OSError, match="the disk went away"):
        run(Failing(), TINY)


def test_a_dummy_input_is_not_made_and_a_delayed_one_is_later() -> None:
    session = Counting()
    inside, _ = switched(session)
    first = inside.produce(0)
    inside.switch(Toggle(intervention=Intervention.DUMMY_INPUT), {}, host_ns)
    assert inside.produce(1) is first
    assert session.num_produced == 1
    inside.switch(Toggle(intervention=Intervention.DELAYED_INPUT, dose_ns=3_000_000), {}, host_ns)
    begin_ns = time.perf_counter_ns()
    assert inside.produce(2) is not first
    assert time.perf_counter_ns() - begin_ns >= 3_000_000
    assert inside.took_ns() >= 3_000_000
    inside.forget()
    assert inside.took_ns() == 0.0


@pytest.mark.parametrize(
    ("intervention", "phase"),
    [(Intervention.EXTRA_ARITHMETIC, "forward"), (Intervention.THROTTLED_EXCHANGE, "backward")],
)
def test_loads_lie_in_the_phase_that_they_load(intervention: Intervention, phase: str) -> None:
    inside, _ = switched(Counting())
    calls: list[int] = []
    load = Load(call=lambda: calls.append(1), price_ns=1000.0)
    loads = {} if intervention is Intervention.THROTTLED_EXCHANGE else {intervention: load}
    inside.switch(Toggle(intervention=intervention, dose_ns=5000), loads, host_ns)
    at: dict[str, tuple[int, float]] = {}

    def mark(name: str) -> None:
        at[name] = len(calls), inside.took_ns()

    inside.step(inside.produce(0), mark)
    before = [name for name in ("forward", "backward", "optimizer") if at[name][1] == 0.0]
    assert before == {"forward": [], "backward": ["forward"]}[phase]
    assert len(calls) == (5 if loads else 0)


def test_only_the_slow_rank_has_the_load() -> None:
    calls: list[int] = []
    load = Load(call=lambda: calls.append(1), price_ns=1000.0)
    inside, _ = switched(Counting())
    for rank, expected in ((1, 0), (0, 4)):
        toggle = Toggle(intervention=Intervention.SLOW_RANK, dose_ns=4000, rank=rank)
        inside.switch(toggle, {Intervention.SLOW_RANK: load}, host_ns)
        inside.step(inside.produce(0), lambda phase: None)
        assert len(calls) == expected
    inside.switch(NOTHING, {Intervention.SLOW_RANK: load}, host_ns)
    inside.step(inside.produce(0), lambda phase: None)
    assert len(calls) == 4


def test_ranks_that_divide_a_model_keep_their_exchange_and_are_delayed_in_it() -> None:
    divided = replace(FOUND, meeting="division")
    found = {toggle.intervention for toggle in toggles_of(FULL, divided)}
    assert not found & NEEDS_GRADIENTS
    assert {Intervention.THROTTLED_EXCHANGE, Intervention.SLOW_RANK} <= found
    assert FULL.num_pairs_of("division") == FULL.num_pairs_of("gradients") - 2 * FULL.num_pairs


class Summing(Counting):
    """One rank of several that share a model: it adds up with others in the middle of a pass."""

    def step(self, batch: Tensor, mark: Mark) -> Tensor:
        for phase in ("forward", "communication", "forward", "communication"):
            mark(phase)  # type: ignore[arg-type]  # names of phases in a loop
        return torch.zeros(())


def test_one_exchange_of_a_step_is_delayed_where_it_ends() -> None:
    inside, _ = switched(Summing())
    inside.switch(Toggle(intervention=Intervention.THROTTLED_EXCHANGE, dose_ns=1000), {}, host_ns)
    took: list[bool] = []
    inside.step(inside.produce(0), lambda phase: took.append(inside.took_ns() > 0))
    assert took == [False, True, True, True]
    assert len(inside._took) == 1


def test_loads_have_a_price_and_no_dose_calls_nothing() -> None:
    loads = priced_loads("cpu", host_ns)
    assert set(loads) == {one for one in LOADS if one.name.startswith(("EXTRA", "SLOW"))}
    assert all(load.price_ns >= 1 for load in loads.values())
    assert price_ns(lambda: time.sleep(0.001), host_ns) >= 1e6
    Load(call=lambda: pytest.fail("called"), price_ns=10.0).run(0)


def test_doses_follow_the_step_and_delays_first_use_up_the_slack() -> None:
    doses = {
        one: [toggle.dose_ns for toggle in toggles_of(FULL, FOUND) if toggle.intervention is one]
        for one in LOADS
    }
    assert doses[Intervention.EXTRA_ARITHMETIC] == [15_000_000, 30_000_000, 60_000_000]
    assert doses[Intervention.DELAYED_INPUT] == [40_000_000, 110_000_000, 140_000_000]
    assert {toggle.rank for toggle in toggles_of(FULL, FOUND)} == {None, 1}
    waiting = Calibration(step_ns=1e8, produce_ns=1e8, slowest_rank=0, meeting="never")
    alone = toggles_of(FULL, waiting)
    assert not {toggle.intervention for toggle in alone} & NEEDS_RANKS
    delays = [toggle.dose_ns for toggle in alone if toggle.intervention is Intervention.DELAYED_INPUT]
    assert delays == [15_000_000, 30_000_000, 60_000_000]


def test_the_order_is_the_seeds_and_each_toggle_is_spread_over_the_run() -> None:
    toggles = toggles_of(FULL, FOUND)
    slots = schedule(toggles, FULL, 3)
    assert slots == schedule(toggles, FULL, 3) != schedule(toggles, FULL, 4)
    assert len(slots) == FULL.num_pairs_of("gradients") == 82
    for index, toggle in enumerate(toggles):
        own = [(place, slot.is_on_first) for place, slot in enumerate(slots) if slot.toggle == index]
        assert len(own) == (3 if toggle.intervention in LOADS else 7)
        assert abs(2 * sum(first for _, first in own) - len(own)) == 1
        assert own[0][0] < len(slots) / 2 < own[-1][0]


def test_windows_last_as_asked_and_batches_of_before_are_dropped() -> None:
    assert num_window_steps(FULL, FOUND) == 15
    assert num_settle_steps(FULL, FOUND, NOTHING) == 4
    short = Calibration(step_ns=1e6, produce_ns=5e5, slowest_rank=0, meeting="never")
    assert num_window_steps(FULL, short) == 200
    assert num_settle_steps(QUICK, short, NOTHING) == 50
    slow = Toggle(intervention=Intervention.DELAYED_INPUT, dose_ns=110_000_000)
    assert num_settle_steps(FULL, FOUND, slow) == 11  # two batches last 9 steps when it lacks 0.3 a step


@pytest.mark.parametrize(
    "wrong", [{"num_pairs": 1}, {"window_s": 0.0}, {"doses": ()}, {"doses": (-0.1,)}, {"pairs_per_dose": 0}]
)
def test_plans_that_can_test_nothing_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"windows|doses"):
        VerifyPlan(**wrong)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ddp", "horovod"])
def test_ranks_keep_their_gradients_while_it_is_paused_and_share_them_again(kind: str) -> None:
    launcher = str(Path(sys.executable).with_name("mpirun"))
    ranks = [launcher, "-n", "2", "--map-by", "slot:OVERSUBSCRIBE", "--bind-to", "none"]
    program = [sys.executable, "-m", "mpi4py", str(Path(__file__).with_name("pausing_ranks.py")), kind]
    allowed = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*ranks, *program],
        env={**os.environ, **allowed},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told == {"shared": True, "paused": False, "shared_again": True, "restored": True}
