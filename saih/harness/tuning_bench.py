"""Executions of one point that are ready to be stepped in turns, on all ranks alike."""

import gc
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
import torch

from saih.domain.interval import median
from saih.domain.point import Point
from saih.domain.record import Outcome
from saih.harness.agreement import agree
from saih.harness.clock import host_ns
from saih.harness.ending import COMPLETED, Ending, ending_of
from saih.harness.exchange import MeasuredExchange
from saih.harness.feed import open_feed
from saih.harness.measure import Losses, TimedSession
from saih.harness.phases import Rows, step_ns
from saih.harness.point_run import Setting, open_session
from saih.harness.rendezvous import open_exchanges
from saih.harness.tuning_decision import Shape
from saih.machine.messages import broadcast
from saih.machine.mpi import MPI
from workloads.execution import Execution
from workloads.protocol import JobSide
from workloads.tuning import ResumableSession

T = TypeVar("T")


class TrialFailed(Exception):  # noqa: N818  # as an outcome, not as a mistake of the program
    """An execution could not be stepped; raised on all ranks, once they agreed why."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Steps of one execution, the same on all ranks."""

    steps_ns: tuple[int, ...]
    """Each as long as its slowest rank [ns]."""

    @property
    def step_ns(self) -> float:
        """Their median [ns]."""
        return median(self.steps_ns)


class Bench:
    """Steps a point in one execution or another; every rank calls the same methods in the same order.

    What was stepped stays ready until it is dropped, so that windows of two can alternate; where
    ``is_apart``, everything else is let go of before the next is prepared. Use it in a ``with`` statement.
    """

    def __init__(self, point: Point, side: JobSide, setting: Setting) -> None:
        self._point = point
        self._side = side
        self._setting = setting
        self._ready: dict[Execution, _Stand] = {}
        self._losses: dict[Execution, list[float]] = {}
        self._meeting: _MeetingPlace | None = None
        self._begin_ns = host_ns()
        # Ranks of one replica meet in a process group of their own: beside that of all ranks several may be,
        # without it there is one at a time.
        self.is_apart = point.placement.degrees.num_ranks > 1 and point.exchange != "ddp"
        self.num_warmup = 1
        """Steps before an execution counts that was let go of and is prepared again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(error)

    def window(self, execution: Execution, shape: Shape) -> Window:
        """Steps of an execution, which is prepared first where it is not ready.

        Raises:
            TrialFailed: when it could not be prepared or stepped on some rank; it is let go of then.
        """
        rows, losses, is_first = self._agreed(execution, partial(self._run, execution, shape))
        comm = self._setting.ranks.comm
        slowest_ns = np.ascontiguousarray(step_ns(rows))
        comm.Allreduce(MPI.IN_PLACE, slowest_ns, op=MPI.MAX)
        means = np.array(losses, dtype=np.float64)
        with np.errstate(all="ignore"):  # losses that are not finite are found by who compares them
            comm.Allreduce(MPI.IN_PLACE, means, op=MPI.SUM)
        comm.Bcast(means, root=0)  # sums of ranks may differ in their last digits
        if is_first:
            self._losses.setdefault(execution, []).extend((means / comm.size).tolist())
        return Window(steps_ns=tuple(slowest_ns[shape.num_settling :].tolist()))

    def losses(self, execution: Execution) -> Sequence[float]:
        """The losses of an execution from its first step on, mean over ranks."""
        return tuple(self._losses.get(execution, ()))

    def elapsed_s(self) -> float:
        """Since the bench was made, on the clock of rank 0 [s]."""
        own = {"ns": host_ns() - self._begin_ns}
        told = broadcast(self._setting.ranks.comm, own if self._setting.ranks.rank == 0 else None)
        return float(told["ns"]) * 1e-9

    def drop(self, execution: Execution, error: BaseException | None = None) -> None:
        """Let go of an execution and of its memory; nothing where it is not ready."""
        stand = self._ready.pop(execution, None)
        if stand is not None:
            _leave(stand.stack, error)
            del stand
            self._release()

    def close(self, error: BaseException | None = None) -> None:
        """Let go of everything; what other ranks may wait for is ended where there is an error."""
        for execution in list(self._ready):
            self.drop(execution, error)
        meeting, self._meeting = self._meeting, None
        if meeting is not None:
            _leave(meeting.stack, error)
            del meeting
            self._release()

    def _run(self, execution: Execution, shape: Shape) -> tuple[Rows, Losses, bool]:
        stand = self._ready.get(execution)
        if stand is None:
            for other in list(self._ready) if self.is_apart else ():
                self.drop(other)
            stand = self._ready[execution] = self._prepared(execution)
            if not stand.is_first:  # it was let go of meanwhile
                stand.timed.run(self.num_warmup)
        if isinstance(stand.session, ResumableSession):
            stand.session.resume()
        rows, losses = stand.timed.run(shape.num_settling + shape.num_timed)
        return rows, losses, stand.is_first

    def _prepared(self, execution: Execution) -> "_Stand":
        """This rank's session; all ranks prepare theirs at the same time."""
        self._setting.sentinel.beat(f"before preparing {execution.words or 'the plain execution'}")
        point = replace(self._point, execution=execution)
        with ExitStack() as stack:
            exchange = self._meeting_place().make(execution.bucket_mib)
            session, instruments = stack.enter_context(
                open_session(point, self._side, self._setting, exchange)
            )
            feed = stack.enter_context(open_feed(session.produce, instruments.feeding))
            timed = TimedSession(session, feed, instruments)
            is_first = execution not in self._losses
            return _Stand(session=session, timed=timed, stack=stack.pop_all(), is_first=is_first)
        raise RuntimeError("a stack of contexts swallowed an error")

    def _meeting_place(self) -> "_MeetingPlace":
        if self._meeting is None:
            timeout_s = 2 * self._setting.watchdog_s
            with ExitStack() as stack:
                make = stack.enter_context(
                    open_exchanges(self._point.exchange, self._setting.ranks, timeout_s)
                )
                self._meeting = _MeetingPlace(make=make, stack=stack.pop_all())
        return self._meeting

    def _agreed(self, execution: Execution, work: Callable[[], T]) -> T:
        """What the work gives, if it succeeds on every rank."""
        own, found, ranks = COMPLETED, None, self._setting.ranks
        try:
            found = work()
        # A sys.exit in a session must not leave the other ranks waiting either.
        except (Exception, SystemExit) as error:
            own = ending_of(error, ranks.rank)
            sys.stderr.write(f"rank {ranks.rank} cannot run this execution: {own.reason}\n")
            self._let_go(execution, error)
        ending = agree(ranks.comm, own, self._setting.watchdog_s, self._setting.sentinel.beat)
        if ending is None:
            reason = f"rank {ranks.rank} waited for other ranks that did not come while executions were tried"
            self._setting.sentinel.give_up(Ending(outcome=Outcome.TIMED_OUT, reason=reason))
            raise RuntimeError("the job goes on after its end")
        if found is not None and ending == COMPLETED:
            return found
        if own == COMPLETED:
            self._let_go(execution, RuntimeError("another rank failed"))
        self._release()  # of what the error still held
        raise TrialFailed(ending)

    def _let_go(self, execution: Execution, error: BaseException) -> None:
        """After a failure nothing that ranks wait for each other in is whole any more."""
        if self._point.ranks_that_meet > 1:
            self.close(error)
        else:
            self.drop(execution, error)

    def _release(self) -> None:
        gc.collect()
        if self._setting.ranks.device != "cpu":
            torch.cuda.empty_cache()


@dataclass(frozen=True, slots=True)
class _Stand:
    """One execution on this rank; its steps go on where the last window ended."""

    session: object
    timed: TimedSession
    stack: ExitStack
    is_first: bool
    """Whether its losses are those from the first step on that nobody has seen yet."""


@dataclass(frozen=True, slots=True)
class _MeetingPlace:
    """Where ranks exchange gradients, for all models that are ready."""

    make: Callable[[int], MeasuredExchange]
    stack: ExitStack


def _leave(stack: ExitStack, error: BaseException | None) -> None:
    """Leave contexts, with the error that made it necessary; a failure to do so is told and passed over."""
    try:
        stack.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
    except (Exception, SystemExit) as late:
        if late is not error:
            traceback.print_exception(late)
