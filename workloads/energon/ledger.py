"""Who asked what of an engine, and what became of it: nothing is kept of a request that was answered."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from torch import Tensor

from workloads.energon.command import Answer, Command
from workloads.energon.errors import EngineError, RequestFailed
from workloads.energon.request import Request
from workloads.energon.room import Room
from workloads.transport.frames import WireError

_log = logging.getLogger(__name__)
MakeError = Callable[[], Exception]
"""Makes an error for each caller, because a raised error remembers where it was raised."""
_MOST_LEFT = 1 << 16
"""Names that one command releases beyond its own: all of them might make a message too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStats:
    """How many requests wait, are worked on, and ended in which way since the launch."""

    queued: int
    in_flight: int
    done: int
    failed: int
    cancelled: int


@dataclass(slots=True, kw_only=True)
class _InFlight:
    future: Future[Tensor]
    num_missing: int
    """Ranks that have not reported yet."""
    rows: Tensor | None = None
    failure: str = ""


class Ledger:
    """Requests from their admission to their end; callers admit and cancel, one thread does the rest."""

    def __init__(self, *, max_queued: int, num_reports: int) -> None:
        self.room = Room(max_queued)
        self._num_reports = num_reports
        self._queued: OrderedDict[int, tuple[Request, Future[Tensor]]] = OrderedDict()
        self._in_flight: dict[int, _InFlight] = {}
        self._left_behind: dict[int, int] = {}
        """Names that requests which were never sent should have released, and the last such ticket."""
        self._num_admitted = self._num_sent = 0
        self._num_done = self._num_failed = self._num_cancelled = 0
        self._closed_by: MakeError | None = None
        self._lock = threading.Lock()

    @property
    def stats(self) -> EngineStats:
        """How many requests there are in each state."""
        with self._lock:
            return EngineStats(
                queued=len(self._queued),
                in_flight=len(self._in_flight),
                done=self._num_done,
                failed=self._num_failed,
                cancelled=self._num_cancelled,
            )

    @property
    def closed_by(self) -> str:
        """Why nothing is admitted any more; empty while something is."""
        if self._closed_by is None:
            return ""
        error = self._closed_by()
        return error.told if isinstance(error, EngineError) else str(error)

    @property
    def num_in_flight(self) -> int:
        """Commands that were sent and not answered."""
        return len(self._in_flight)

    @property
    def num_ended(self) -> int:
        """Requests that were sent and have ended since the launch, well or not."""
        return self._num_done + self._num_failed

    @property
    def is_empty(self) -> bool:
        """Whether everything that was admitted has ended."""
        with self._lock:
            return not self._queued and not self._in_flight

    def admit(self, request: Request) -> Future[Tensor]:
        """Queue a request, on a place of ``room``, which comes back when the request leaves the queue.

        Raises:
            EngineError: when nothing is admitted any more.
        """
        future: Future[Tensor] = Future()
        with self._lock:
            if self._closed_by is not None:
                raise self._closed_by()
            ticket = self._num_admitted
            self._num_admitted += 1
            self._queued[ticket] = (request, future)
        future.add_done_callback(partial(self._forget_cancelled, ticket))
        return future

    def next_command(self) -> Command | None:
        """The command of whoever waits longest, in flight from now on; None when nobody waits.

        It releases what requests before it, which were cancelled or could not be sent, should have released.
        """
        while (waiting := self._longest_waiting()) is not None:
            ticket, request, future = waiting
            if not future.set_running_or_notify_cancel():
                self._count_cancelled(1)
                self._leave_behind(ticket, request.kept.released)
                continue
            key = self._num_sent
            self._num_sent += 1
            self._in_flight[key] = _InFlight(future=future, num_missing=self._num_reports)
            command = request.command(key)
            return replace(command, released_ids=self._left_before(ticket) + command.released_ids)
        return None

    def report(self, answer: Answer) -> None:
        """What one rank says of a command; the last report ends its request.

        Raises:
            WireError: for an answer to nothing that was asked.
        """
        entry = self._in_flight.get(answer.key)
        if entry is None:
            raise WireError(f"it answered command {answer.key}, which is not in flight.")
        entry.num_missing -= 1
        entry.failure = entry.failure or answer.failure
        if answer.rows is not None:
            entry.rows = answer.rows
        if entry.num_missing:
            return
        if entry.failure or entry.rows is None:
            self._fail(answer.key, entry.failure or "no rank sent its rows")
        else:
            del self._in_flight[answer.key]
            self._num_done += 1
            _end(partial(entry.future.set_result, entry.rows))

    def fail_unsent(self, command: Command, why: str) -> None:
        """End a request by an error whose command could not be sent to any rank."""
        self._leave_behind(0, command.released_ids)
        self._fail(command.key, why)

    def close(self, error: MakeError) -> None:
        """Admit nothing from now on, and wait for what was admitted."""
        with self._lock:
            self._closed_by = error
        self.room.close(error)

    def refuse_all(self, error: MakeError) -> None:
        """End every request that is queued or in flight, and all that come later."""
        self.close(error)
        in_flight = [entry.future for entry in self._in_flight.values()]
        self._in_flight.clear()
        queued = []
        while (waiting := self._longest_waiting()) is not None:
            queued.append(waiting[2])
        refused = in_flight + [future for future in queued if future.set_running_or_notify_cancel()]
        self._num_failed += len(refused)
        self._count_cancelled(len(in_flight) + len(queued) - len(refused))
        for future in refused:
            _end(partial(future.set_exception, error()))

    def _fail(self, key: int, why: str) -> None:
        self._num_failed += 1
        _end(partial(self._in_flight.pop(key).future.set_exception, RequestFailed(why)))

    def _longest_waiting(self) -> tuple[int, Request, Future[Tensor]] | None:
        with self._lock:
            if not self._queued:
                return None
            ticket, (request, future) = self._queued.popitem(last=False)
        self.room.give_back()
        return ticket, request, future

    def _forget_cancelled(self, ticket: int, future: Future[Tensor]) -> None:
        if not future.cancelled():
            return
        with self._lock:
            waiting = self._queued.pop(ticket, None)
            self._num_cancelled += waiting is not None
        if waiting is not None:
            self._leave_behind(ticket, waiting[0].kept.released)
            future.set_running_or_notify_cancel()  # who waits for several futures hears of it by this
            self.room.give_back()

    def _leave_behind(self, ticket: int, names: Sequence[int]) -> None:
        with self._lock:
            for name in names:
                self._left_behind[name] = max(ticket, self._left_behind.get(name, 0))

    def _left_before(self, ticket: int) -> tuple[int, ...]:
        """What was left behind before a ticket: requests before the others may go on with these names."""
        with self._lock:
            left_before = (name for name, left in self._left_behind.items() if left < ticket)
            names = tuple(islice(left_before, _MOST_LEFT))
            for name in names:
                del self._left_behind[name]
        return names

    def _count_cancelled(self, num: int) -> None:
        with self._lock:
            self._num_cancelled += num


def _end(end: Callable[[], None]) -> None:
    """End a future; a callback that wants to end its thread, as ``sys.exit`` does, must not end this one."""
    try:
        end()
    except BaseException:
        _log.exception("a callback of a request failed")
