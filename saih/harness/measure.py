"""The repeat-until-sure loop: warm up, then step until the median is known, the same on all ranks."""

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from saih.domain.counted import CountedOperation
from saih.domain.interval import median
from saih.domain.point import Timing
from saih.domain.record import Outcome, Phase, Steps
from saih.harness.census import Census
from saih.harness.clock import ReadClock
from saih.harness.decision import Decision, decide
from saih.harness.ending import COMPLETED, Ending
from saih.harness.energy_log import EnergyLog
from saih.harness.exchange import MeasuredExchange
from saih.harness.feed import ON_HOST, Feed, Feeding, open_feed
from saih.harness.phases import COLUMNS, METERS, Rows, StepTimer, step_ns
from saih.harness.prefetch import Making
from saih.harness.processor_log import ProcessorLog
from saih.harness.rank_rows import gather_steps
from saih.harness.step_meter import WorkMeter
from saih.harness.usage import Reading
from saih.machine import energy_counter
from saih.machine.background import GLOO_RUNNING, GLOO_WAITING, gloo_threads
from saih.machine.clock_violations import ReadViolations, no_violations
from saih.machine.energy_counter import Counters
from saih.machine.messages import Message, broadcast
from saih.machine.mpi import MPI
from workloads.protocol import Session
from workloads.telling import RecordedSession, TellingSession

Losses = NDArray[np.float64]
_BAD_VALUES = (math.nan, math.inf, -math.inf)
_NO_BAD_KEY = -(2**63)
_PRODUCE = COLUMNS.index(Phase.INPUT_PRODUCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What measuring needs besides the session."""

    comm: MPI.Intracomm
    clock: ReadClock
    exchange: MeasuredExchange
    beat: Callable[[str], None]
    """Told where this rank is, after every step."""
    counters: Counters = energy_counter.NONE
    """Of energy; read between chunks of measured steps."""
    feeding: Feeding = ON_HOST
    """How batches reach the steps."""
    violations: ReadViolations = no_violations
    """For how long the clock of the GPU was held down; read before the first and after the last step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What measuring gave. ``steps`` is None on ranks other than 0, and where it did not complete."""

    ending: Ending
    stop_reason: str
    steps: Steps | None
    reading: Reading | None
    """What this rank's loader read, warm-up included."""
    energy: Message = field(default_factory=dict)
    """``EnergyLog.report`` of the measured steps; empty where they did not complete."""
    pressure: Message = field(default_factory=dict)
    """``ProcessorLog.report`` of the measured steps; empty where they did not complete."""
    operations: tuple[CountedOperation, ...] = ()
    """What one more step ran on this rank; empty where the steps did not complete."""
    num_loaders: int = 1
    """Threads that made batches."""
    told: Message = field(default_factory=dict)
    """What the session of this rank tells of the measured steps; empty where they did not complete."""


def measure(session: Session[Any], timing: Timing, instruments: Instruments) -> Measurement:
    """Steps of ``session`` until ``timing`` is satisfied; every rank calls it and stops after the same step.

    Rank 0 decides from the slowest rank of each step. A loss that is not finite, on any rank and at any
    step, ends it as DIVERGED.
    """
    ledger = Ledger(timing.warmup_steps)
    energy = EnergyLog(instruments.counters, instruments.clock)
    processor = ProcessorLog(instruments.clock, instruments.violations)
    with open_feed(session.produce, instruments.feeding) as feed:
        timed = TimedSession(session, feed, instruments)
        ending, decision = check(ledger, timed.run(timing.warmup_steps), timing, instruments.comm)
        processor.begin()
        energy.begin()
        while decision.num_steps:
            num_steps = decision.num_steps
            ending, decision = check(ledger, timed.run(num_steps), timing, instruments.comm)
            energy.add(num_steps)
        helpers = feed.thread_ids | gloo_threads(GLOO_WAITING, GLOO_RUNNING)
        pressure = processor.report(helpers) if ending == COMPLETED else {}
        told = _told(session, ledger) if ending == COMPLETED else {}
        operations = timed.count() if ending == COMPLETED else ()
    return Measurement(
        ending=ending,
        stop_reason=decision.reason,
        steps=ledger.steps(instruments.comm) if ending == COMPLETED else None,
        reading=feed.reading,
        num_loaders=instruments.feeding.num_loaders,
        energy=energy.report() if ending == COMPLETED else {},
        pressure=pressure,
        operations=operations,
        told=told,
    )


def _told(session: Session[Any], ledger: "Ledger") -> Message:
    return session.tell(ledger.num_measured) if isinstance(session, TellingSession) else {}


class TimedSession:
    """A session whose steps are timed, in chunks of contiguous steps."""

    def __init__(self, session: Session[Any], feed: Feed, instruments: Instruments) -> None:
        self._session = session
        self._feed = feed
        self._timer = StepTimer(instruments.clock, instruments.exchange)
        self._meter = WorkMeter()
        self._beat = instruments.beat
        self._num_done = 0

    def run(self, num_steps: int) -> tuple[Rows, Losses]:
        """Durations [ns] of ``COLUMNS``, then ``METERS``, and the loss of each next step on this rank."""
        timer, meter, take = self._timer, self._meter, self._feed.take
        mark, step = timer.mark, self._session.step
        losses: list[float] = []
        making: list[Making] = []
        timer.begin()
        for _ in range(num_steps):
            batch, its_making = take()
            mark("input_wait")
            meter.begin()
            losses.append(float(step(batch, mark)))
            meter.end()
            making.append(its_making)
            timer.end()
            self._num_done += 1
            self._beat(f"after step {self._num_done}")
        return _joined(timer.rows(), meter.take(), making), np.array(losses)

    def count(self) -> tuple[CountedOperation, ...]:
        """The operations of one more step, which is not timed; none of steps that were recorded."""
        session = self._session
        if isinstance(session, RecordedSession) and session.is_recorded:
            return ()
        batch, _ = self._feed.take()
        with _uncompiled(), Census() as census:
            session.step(batch, census.marking(self._timer.mark))
        return census.operations()


def _uncompiled() -> AbstractContextManager[object]:
    """A compiled network runs operation by operation here: its programs would hide them."""
    is_loaded = "torch._dynamo" in sys.modules  # else nothing is compiled, and it need not be loaded for that
    return torch.compiler.set_stance("force_eager") if is_loaded else nullcontext()


def _joined(rows: Sequence[list[int]], work: Sequence[tuple[int, int]], making: Sequence[Making]) -> Rows:
    """The rows, with how long each batch was made, followed by ``METERS``."""
    joined = []
    for row, its_work, (produce_ns, *its_making) in zip(rows, work, making, strict=True):
        row[_PRODUCE] = produce_ns
        joined.append((*row, *its_work, *its_making))
    return np.array(joined, dtype=np.int64).reshape(len(rows), len(COLUMNS) + len(METERS))


class Ledger:
    """The steps so far, warm-up first: the rows of this rank, and on rank 0 what they are over all ranks."""

    def __init__(self, warmup_steps: int) -> None:
        self._warmup_steps = warmup_steps
        self._rows_SP: list[Rows] = []
        self._slowest_ns: list[int] = []
        self._losses: list[float] = []
        self._bad: tuple[int, int, float] | None = None

    def add(self, rows_SP: Rows, losses_S: Losses, comm: MPI.Intracomm) -> None:
        """Keep a chunk of this rank; rank 0 learns each step's slowest rank, mean loss, and a bad one.

        All ranks call it. What travels to rank 0 is reduced on the way: its work does not grow with them.
        """
        slowest_ns, bad = _reduce_max(comm, step_ns(rows_SP), _bad_key(losses_S, comm))
        with np.errstate(all="ignore"):  # losses that are not finite are found by their key
            losses_sum = np.zeros_like(losses_S)
            comm.Reduce(losses_S, losses_sum if comm.rank == 0 else None, op=MPI.SUM, root=0)
            self._losses += (losses_sum / comm.size).tolist()
        if bad != _NO_BAD_KEY and self._bad is None:
            place, value = divmod(-bad, len(_BAD_VALUES))
            step, rank = divmod(place, comm.size)
            self._bad = (len(self._slowest_ns) + step + 1, rank, _BAD_VALUES[value])
        self._slowest_ns += slowest_ns
        self._rows_SP.append(rows_SP)

    @property
    def num_measured(self) -> int:
        """Steps so far, warm-up not counted."""
        return len(self._slowest_ns) - self._warmup_steps

    def decide(self, timing: Timing) -> Decision:
        """Whether the measured steps suffice; on rank 0."""
        warmup_ns, measured_ns = (
            self._slowest_ns[: self._warmup_steps],
            self._slowest_ns[self._warmup_steps :],
        )
        return decide(measured_ns, median(warmup_ns) if warmup_ns else 0.0, timing)

    def first_bad_loss(self) -> tuple[int, int, float] | None:
        """Step (from 1, warm-up included), rank and value of the first loss that is not finite; on rank 0."""
        return self._bad

    def steps(self, comm: MPI.Intracomm) -> Steps | None:
        """Everything measured, on rank 0; None elsewhere. All ranks call it."""
        rows_SP = np.concatenate(self._rows_SP)[self._warmup_steps :]
        return gather_steps(comm, rows_SP, self._slowest_ns[self._warmup_steps :], self._losses)


def check(
    ledger: Ledger, chunk: tuple[Rows, Losses], timing: Timing, comm: MPI.Intracomm
) -> tuple[Ending, Decision]:
    """Bring a chunk of every rank together on rank 0, let it decide, and tell all ranks."""
    ledger.add(*chunk, comm)
    verdict = None
    if comm.rank == 0:
        ending, decision = _judge(ledger, timing)
        verdict = {"outcome": ending.outcome, "reason": ending.reason, "decision": asdict(decision)}
    told = broadcast(comm, verdict)
    ending = Ending(outcome=Outcome(told["outcome"]), reason=told["reason"])
    return ending, Decision(**told["decision"])


def _judge(ledger: Ledger, timing: Timing) -> tuple[Ending, Decision]:
    bad = ledger.first_bad_loss()
    if bad is None:
        return COMPLETED, ledger.decide(timing)
    step, rank, value = bad
    reason = (
        f"the loss is {value} at step {step} on rank {rank}. Where nothing is trained it is the mean output. "
        "Use a smaller batch, a smaller model or a wider precision."
    )
    return Ending(outcome=Outcome.DIVERGED, reason=reason), Decision(num_steps=0, reason="the loss diverged")


def _bad_key(losses_S: Losses, comm: MPI.Intracomm) -> int:
    """Minus (step, rank, value) of this rank's first loss that is not finite: the greatest came first."""
    bad = np.flatnonzero(~np.isfinite(losses_S))
    if not bad.size:
        return _NO_BAD_KEY
    step = int(bad[0])
    value = next(index for index, known in enumerate(_BAD_VALUES) if str(known) == str(float(losses_S[step])))
    return -((step * comm.size + comm.rank) * len(_BAD_VALUES) + value)


def _reduce_max(comm: MPI.Intracomm, numbers_S: Rows, key: int) -> tuple[list[int], int]:
    """The greatest of all ranks in each place, and the greatest key, on rank 0; anything elsewhere."""
    own = np.append(numbers_S, np.int64(key))
    found = own.copy()
    comm.Reduce(own, found if comm.rank == 0 else None, op=MPI.MAX, root=0)
    *greatest, greatest_key = found.tolist()
    return greatest, greatest_key
