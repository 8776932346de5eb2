"""Who asked what of an engine, and what became of it: nothing is kept of a request that was answered."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from workloads.energon.command import Answer, Command
from workloads.energon.errors import RequestFailed
from workloads.energon.request import Request
from workloads.energon.room import Room
from workloads.energon.wire import WireError

MakeError = Callable[[], Exception]
"""Makes an error for each caller, because a raised error remembers where it was raised."""


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
        return "" if self._closed_by is None else str(self._closed_by())

    @property
    def num_in_flight(self) -> int:
        """Commands that were sent and not answered."""
        return len(self._in_flight)

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
        """The command of whoever waits longest, in flight from now on; None when nobody waits."""
        while (waiting := self._longest_waiting()) is not None:
            request, future = waiting
            if not future.set_running_or_notify_cancel():
                self._count_cancelled(1)
                continue
            key = self._num_sent
            self._num_sent += 1
            self._in_flight[key] = _InFlight(future=future, num_missing=self._num_reports)
            return request.command(key)
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
            self.fail(answer.key, entry.failure or "no rank sent its rows")
        else:
            del self._in_flight[answer.key]
            self._num_done += 1
            entry.future.set_result(entry.rows)

    def fail(self, key: int, why: str) -> None:
        """End one request in flight by an error."""
        self._num_failed += 1
        self._in_flight.pop(key).future.set_exception(RequestFailed(why))

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
            queued.append(waiting[1])
        refused = in_flight + [future for future in queued if future.set_running_or_notify_cancel()]
        self._num_failed += len(refused)
        self._count_cancelled(len(in_flight) + len(queued) - len(refused))
        for future in refused:
            future.set_exception(error())

    def _longest_waiting(self) -> tuple[Request, Future[Tensor]] | None:
        with self._lock:
            if not self._queued:
                return None
            _, waiting = self._queued.popitem(last=False)
        self.room.give_back()
        return waiting

    def _forget_cancelled(self, ticket: int, future: Future[Tensor]) -> None:
        if not future.cancelled():
            return
        with self._lock:
            is_ours = self._queued.pop(ticket, None) is not None
            self._num_cancelled += is_ours
        if is_ours:
            future.set_running_or_notify_cancel()  # who waits for several futures hears of it by this
            self.room.give_back()

    def _count_cancelled(self, num: int) -> None:
        with self._lock:
            self._num_cancelled += num
