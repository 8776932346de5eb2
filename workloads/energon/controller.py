"""The controller: one thread that owns the connections to all workers, and waits for events only.

Commands go to all workers in one order, so many at once that every stage has one and every link is full; the
others wait in the ledger. At the first sign of a worker's death nothing more is sent, and what follows within
a moment tells whose death it was.
"""

import atexit
import logging
import math
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum, auto
from functools import partial

from torch import Tensor

from augment.problem import ProblemError
from workloads.energon.assignment import Assignment, assignment_frame
from workloads.energon.control_frames import answer_of, command_frame, whereabouts_of
from workloads.energon.control_line import ControlLine
from workloads.energon.errors import EngineClosed, EngineDead, LaunchError
from workloads.energon.launching import StartedWorker
from workloads.energon.ledger import Ledger, MakeError
from workloads.energon.request import Request
from workloads.energon.roll_call import RollCall
from workloads.energon.supervisor import Supervisor
from workloads.transformer.errors import WeightError
from workloads.transport.frames import Frame, WireError, packed

_SETTLING_S = 0.5
"""How long after the first sign of a death its causes and consequences are gathered."""
_CLOSING_S = 5.0
"""What workers get to end by themselves."""
_REAPING_S = 1.0
"""What they get from their last word to their end."""
_CLOSED = partial(EngineClosed, "the engine is closed; launch a new one.")
_log = logging.getLogger(__name__)


class _Phase(Enum):
    STARTING = auto()
    RUNNING = auto()
    DRAINING = auto()
    """Nothing is admitted, what was admitted goes on."""
    CLOSING = auto()
    """The workers were told to end."""
    OVER = auto()


class Controller:
    """Runs the workers of one engine. Callers' threads submit and close, its own does the rest."""

    def __init__(
        self,
        assignments: Sequence[Assignment],
        workers: Sequence[StartedWorker],
        ledger: Ledger,
        request_limit_s: float,
    ) -> None:
        self.ready: Future[None] = Future()
        """Done when every worker is; its error, when one of them failed."""
        self._assignments = assignments
        self._ledger = ledger
        plan = assignments[0].plan
        self._num_credits = plan.pipeline_parallel + plan.num_buffers
        self._num_loading = plan.num_ranks
        self._phase = _Phase.STARTING
        self._deadline_s = self._settled_s = math.inf
        self._draining_s: float | None = None
        self._ending: MakeError = _CLOSED
        self._is_woken = False
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        self._selector.register(self._ear, selectors.EVENT_READ, self._hear_bell)
        self._supervisor = Supervisor(workers, self._selector, self._settle)
        self._lines = [self._line(rank, worker.connection) for rank, worker in enumerate(workers)]
        self._roll_call = RollCall(request_limit_s, plan.num_ranks, partial(self._tell_all, "where"))
        self._thread = threading.Thread(target=self._run, name="energon controller", daemon=True)

    @property
    def is_current_thread(self) -> bool:
        """Whether the caller is called back by the controller, and must not wait for it."""
        return threading.current_thread() is self._thread

    def start(self, timeout_s: float) -> None:
        """Tell all workers what they are; ``ready`` ends within ``timeout_s``."""
        self._deadline_s = time.monotonic() + timeout_s
        atexit.register(self.close, 0.0)
        self._thread.start()

    def submit(self, request: Request) -> Future[Tensor]:
        """Queue a request, on a place of the ledger's room.

        Raises:
            EngineError: when the engine takes none any more.
        """
        future = self._ledger.admit(request)
        self.wake()
        return future

    def close(self, timeout_s: float) -> None:
        """Give what was admitted ``timeout_s`` to end, then end the workers; returns when none is left."""
        self.let_go(timeout_s)
        if self._thread.ident is None:  # there was no thread to be had
            self._clean_up(_CLOSED)
        elif not self.is_current_thread:
            self._thread.join()

    def let_go(self, timeout_s: float = 0.0) -> None:
        """Begin to close, without waiting for anything."""
        if self._draining_s is None:
            self._draining_s = timeout_s
            self.wake()

    def wake(self) -> None:
        """Let the controller look around."""
        if not self._is_woken:
            self._is_woken = True
            with suppress(OSError):  # it is over
                self._bell.send(b"!")

    def _run(self) -> None:
        ending: MakeError = partial(EngineDead, "its controller failed.")
        try:
            self._introduce()
            while self._phase is not _Phase.OVER:
                for key, events in self._selector.select(self._patience_s()):
                    key.data(events)
                self._turn(time.monotonic())
            ending = self._ending
        except Exception as error:
            ending = partial(EngineDead, f"its controller failed: {type(error).__name__}: {error}")
            raise
        finally:
            self._clean_up(ending)

    def _introduce(self) -> None:
        for line, assignment in zip(self._lines, self._assignments, strict=True):
            line.send(packed(assignment_frame(assignment)))

    def _patience_s(self) -> float | None:
        nearest_s = min(self._deadline_s, self._settled_s, self._roll_call.deadline_s)
        return None if nearest_s == math.inf else max(0.0, nearest_s - time.monotonic())

    def _turn(self, now_s: float) -> None:
        """Whatever is to be done after some events, or because it is time."""
        if self._phase is _Phase.OVER:
            return
        if self._phase is _Phase.CLOSING:
            if self._supervisor.are_all_silent or now_s >= self._deadline_s:
                self._phase = _Phase.OVER
        elif self._settled_s < math.inf:
            if now_s >= self._settled_s:
                self._bury()
        elif self._draining_s is not None and self._phase is not _Phase.DRAINING:
            self._drain(now_s + self._draining_s)
        elif now_s >= self._deadline_s:
            self._give_up()
        else:
            self._go_on(now_s)

    def _go_on(self, now_s: float) -> None:
        if self._phase is not _Phase.STARTING:
            self._send_commands()
            self._call_roll(now_s)
        if self._phase is _Phase.DRAINING and self._ledger.is_empty:
            self._phase, self._deadline_s = _Phase.CLOSING, now_s + _CLOSING_S
            self._tell_all("close")

    def _call_roll(self, now_s: float) -> None:
        """Look whether some rank holds up all others."""
        is_busy = self._ledger.num_in_flight > 0
        hang = self._roll_call.verdict(now_s, is_busy=is_busy, num_ended=self._ledger.num_ended)
        if hang is not None:
            self._ending = hang
            self._phase = _Phase.OVER

    def _tell_all(self, kind: str) -> None:
        buffers = packed(Frame(header={"kind": kind}))
        for line in self._lines:
            line.send(buffers)

    def _send_commands(self) -> None:
        while self._ledger.num_in_flight < self._num_credits:
            if (command := self._ledger.next_command()) is None:
                return
            try:
                buffers = packed(command_frame(command))
            except Exception as error:  # whatever it is, it is this request's
                self._ledger.fail_unsent(command, f"{type(error).__name__}: {error}")
                continue
            for line in self._lines:
                line.send(buffers)

    def _drain(self, deadline_s: float) -> None:
        self._ledger.close(_CLOSED)
        if self._phase is _Phase.STARTING:
            self._phase = _Phase.OVER
        else:
            self._phase, self._deadline_s = _Phase.DRAINING, deadline_s
            self._go_on(time.monotonic())

    def _give_up(self) -> None:
        """The time that starting or draining may take is over."""
        if self._phase is _Phase.STARTING:
            loading = f"{self._num_loading} of {len(self._lines)} workers were not ready in time"
            self._ending = partial(LaunchError, f"{loading}; give a longer start_timeout_s.")
        self._phase = _Phase.OVER

    def _bury(self) -> None:
        kind = LaunchError if self._phase is _Phase.STARTING else EngineDead
        self._ending = partial(kind, *self._supervisor.obituary())
        self._phase = _Phase.OVER

    def _settle(self) -> None:
        """A worker seems dead."""
        if self._settled_s == math.inf and self._phase is not _Phase.CLOSING:
            self._settled_s = time.monotonic() + _SETTLING_S

    def _line(self, rank: int, connection: socket.socket) -> ControlLine:
        lose = partial(self._supervisor.note, rank)
        return ControlLine(connection, self._selector, partial(self._hear, rank), lose)

    def _hear(self, rank: int, frame: Frame) -> None:
        kind = frame.header["kind"]
        if kind == "answer":
            self._ledger.report(answer_of(frame))
        elif kind == "whereabouts":
            self._roll_call.hear(rank, whereabouts_of(frame))
        elif kind == "ready":
            self._num_loading -= 1
            if self._num_loading == 0:
                self._phase, self._deadline_s = _Phase.RUNNING, math.inf
                self.ready.set_result(None)
        elif kind == "failed":
            self._ending = _failure_of(frame)
            self._phase = _Phase.OVER
        else:
            raise WireError(f"rank {rank} sent {kind!r}, which means nothing here")

    def _hear_bell(self, _events: int) -> None:
        self._ear.recv(4096)
        self._is_woken = False  # before the ledger is looked at: who admits later rings again

    def _clean_up(self, ending: MakeError) -> None:
        """Leave no process, port or waiting caller behind."""
        self._ledger.close(ending)
        patience_s = _REAPING_S if self._phase is _Phase.OVER and ending is _CLOSED else 0.0
        for line in self._lines:
            line.close()
        self._supervisor.end(patience_s)
        self._selector.close()
        self._bell.close()
        self._ear.close()
        self._ledger.refuse_all(ending)
        error = ending()
        if not self.ready.done():
            self.ready.set_exception(error)
        atexit.unregister(self.close)
        if isinstance(error, EngineDead):
            _log.error("the engine is dead: %s", error)  # once, where each caller gets an error of his own


def _failure_of(frame: Frame) -> MakeError:
    """What a worker says that could not start: the errors that callers know by their type keep it."""
    name, text = str(frame.header.get("error")), str(frame.header.get("text"))
    known = {kind.__name__: kind for kind in (WeightError, ProblemError)}
    return partial(known[name], text) if name in known else partial(LaunchError, f"{name}: {text}")
