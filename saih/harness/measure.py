"""The repeat-until-sure loop: warm up, then step until the median is known, the same on all ranks."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from saih.domain.interval import median
from saih.domain.point import Timing
from saih.domain.record import Outcome, Steps
from saih.harness.clock import ReadClock
from saih.harness.decision import Decision, decide
from saih.harness.ending import COMPLETED, Ending
from saih.harness.exchange import MeasuredExchange
from saih.harness.phases import COLUMNS, StepTimer, step_ns
from saih.harness.prefetch import Prefetch
from saih.harness.usage import Reading
from saih.machine.messages import broadcast
from workloads.protocol import Session

Rows = NDArray[np.int64]
Losses = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What measuring needs besides the session."""

    comm: MPI.Intracomm
    clock: ReadClock
    exchange: MeasuredExchange
    beat: Callable[[str], None]
    """Told where this rank is, after every step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What measuring gave. ``steps`` is None on ranks other than 0, and where it did not complete."""

    ending: Ending
    stop_reason: str
    steps: Steps | None
    reading: Reading | None
    """What this rank's loader read, warm-up included."""


def measure(session: Session[Any], timing: Timing, instruments: Instruments) -> Measurement:
    """Steps of ``session`` until ``timing`` is satisfied; every rank calls it and stops after the same step.

    Rank 0 decides from the slowest rank of each step. A loss that is not finite, on any rank and at any
    step, ends it as DIVERGED.
    """
    ledger = Ledger(timing.warmup_steps)
    with Prefetch(session.produce) as prefetch:
        timed = TimedSession(session, prefetch, instruments)
        ending, decision = check(ledger, timed.run(timing.warmup_steps), timing, instruments.comm)
        while decision.num_steps:
            chunk = timed.run(decision.num_steps)
            ending, decision = check(ledger, chunk, timing, instruments.comm)
    is_kept = ending == COMPLETED and instruments.comm.rank == 0
    return Measurement(
        ending=ending,
        stop_reason=decision.reason,
        steps=ledger.steps() if is_kept else None,
        reading=prefetch.reading,
    )


class TimedSession:
    """A session whose steps are timed, in chunks of contiguous steps."""

    def __init__(self, session: Session[Any], prefetch: Prefetch[Any], instruments: Instruments) -> None:
        self._session = session
        self._prefetch = prefetch
        self._timer = StepTimer(instruments.clock, instruments.exchange)
        self._beat = instruments.beat
        self._num_done = 0

    def run(self, num_steps: int) -> tuple[Rows, Losses]:
        """Durations [ns] of ``COLUMNS`` and the loss of each of the next steps on this rank."""
        rows = np.zeros((num_steps, len(COLUMNS)), dtype=np.int64)
        losses = np.zeros(num_steps)
        timer, mark = self._timer, self._timer.mark
        timer.begin()
        for index in range(num_steps):
            batch, produce_ns = self._prefetch.take()
            mark("input_wait")
            timer.produced(produce_ns)
            losses[index] = float(self._session.step(batch, mark))
            rows[index] = timer.end()
            self._num_done += 1
            self._beat(f"after step {self._num_done}")
        return rows, losses


class Ledger:
    """On rank 0, the steps of all ranks so far, warm-up first."""

    def __init__(self, warmup_steps: int) -> None:
        self._warmup_steps = warmup_steps
        self._rows_RSP: list[Rows] = []
        self._losses_RS: list[Losses] = []

    def add(self, rows_RSP: Rows, losses_RS: Losses) -> None:
        """Keep a chunk: R ranks, S steps, P phases."""
        self._rows_RSP.append(rows_RSP)
        self._losses_RS.append(losses_RS)

    def decide(self, timing: Timing) -> Decision:
        """Whether the measured steps suffice."""
        slowest_ns = step_ns(np.concatenate(self._rows_RSP, axis=1)).max(axis=0).tolist()
        warmup_ns, measured_ns = slowest_ns[: self._warmup_steps], slowest_ns[self._warmup_steps :]
        return decide(measured_ns, median(warmup_ns) if warmup_ns else 0.0, timing)

    def first_bad_loss(self) -> tuple[int, int, float] | None:
        """Step (from 1, warm-up included), rank and value of the first loss that is not finite."""
        losses_SR = np.concatenate(self._losses_RS, axis=1).T
        bad = np.argwhere(~np.isfinite(losses_SR))
        if not bad.size:
            return None
        step, rank = bad[0].tolist()
        return step + 1, rank, float(losses_SR[step, rank])

    def steps(self) -> Steps:
        """Everything measured."""
        rows_RSP = np.concatenate(self._rows_RSP, axis=1)[:, self._warmup_steps :]
        return Steps(
            duration_ns={phase: _by_rank(rows_RSP[:, :, column]) for column, phase in enumerate(COLUMNS)},
            step_ns=_by_rank(step_ns(rows_RSP)),
            losses=tuple(np.concatenate(self._losses_RS, axis=1).mean(axis=0).tolist()),
            warmup_steps=self._warmup_steps,
        )


def check(
    ledger: Ledger, chunk: tuple[Rows, Losses], timing: Timing, comm: MPI.Intracomm
) -> tuple[Ending, Decision]:
    """Gather a chunk on rank 0, let it decide, and tell all ranks."""
    rows_RSP, losses_RS = (_gather(comm, part) for part in chunk)
    verdict = None
    if comm.rank == 0:
        ledger.add(rows_RSP, losses_RS)
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
        f"the loss is {value} at step {step} on rank {rank}. Use a smaller batch, a smaller model or a "
        "wider precision."
    )
    return Ending(outcome=Outcome.DIVERGED, reason=reason), Decision(num_steps=0, reason="the loss diverged")


def _gather(comm: MPI.Intracomm, part: NDArray[Any]) -> NDArray[Any]:
    """The part of every rank, stacked, on rank 0; undefined content elsewhere."""
    everything = np.empty((comm.size, *part.shape), dtype=part.dtype)
    comm.Gather(part, everything, root=0)
    return everything


def _by_rank(values_RS: Rows) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in values_RS.tolist())
