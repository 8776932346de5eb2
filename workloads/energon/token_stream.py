"""Tokens of one request, for whoever follows them: a loop, an event loop, or a caller who wants the last."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass

from workloads.energon.errors import EngineError
from workloads.energon.generation_request import GenerationRequest
from workloads.energon.sequence_progress import Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """All that was generated for one prompt."""

    tokens: tuple[int, ...]
    """New tokens, the stop token included."""
    finish: Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One generated token."""

    token: int
    at_ns: int
    """When the generator had it, by its clock [ns]."""


class Generation:
    """What becomes of one request. Any thread and any event loop may follow it, also several."""

    def __init__(self, request: GenerationRequest, asked_ns: int, cancel: Callable[[], None]) -> None:
        self.request = request
        """What was asked."""
        self.asked_ns = asked_ns
        """When the generator was asked, by its clock [ns]."""
        self._cancel = cancel
        self._arrivals: list[Arrival] = []
        self._end: Finish | Exception | None = None
        self._listeners: list[Callable[[], None]] = []
        self._changed = threading.Condition()

    def result(self, timeout_s: float | None = None) -> Completion:
        """Wait for the last token.

        Raises:
            TimeoutError: when it did not come in time; the generation goes on.
            CancelledError: when it was cancelled.
            EngineError: when it failed.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._end is not None, timeout_s):
                raise TimeoutError(
                    f"{len(self._arrivals)} tokens were generated in {timeout_s} s, and not the last."
                )
        return self._completion()

    async def aresult(self) -> Completion:
        """As ``result``, without holding up the event loop."""
        async for _ in self.arrivals():
            pass
        return self._completion()

    def cancel(self) -> None:
        """Give it up, and free what it holds; nothing happens where it has ended."""
        self._cancel()

    def __iter__(self) -> Iterator[int]:
        """Each token as it comes; ends as ``result`` does."""
        place = 0
        while True:
            with self._changed:
                while self._end is None and len(self._arrivals) == place:
                    self._changed.wait()
                fresh = self._arrivals[place:]
            if not fresh:
                self._completion()
                return
            place += len(fresh)
            yield from (arrival.token for arrival in fresh)

    async def __aiter__(self) -> AsyncIterator[int]:
        """Each token as it comes; ends as ``result`` does."""
        async for arrival in self.arrivals():
            yield arrival.token

    async def arrivals(self) -> AsyncGenerator[Arrival, None]:
        """Each token as it comes, with its time; ends as ``result`` does."""
        bell, loop = asyncio.Event(), asyncio.get_running_loop()

        def ring() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(bell.set)

        with self._changed:
            self._listeners.append(ring)
        try:
            place = 0
            while True:
                bell.clear()
                fresh, is_over = self._after(place)
                for arrival in fresh:
                    yield arrival
                place += len(fresh)
                if is_over:
                    self._completion()
                    return
                await bell.wait()
        finally:
            with self._changed:
                self._listeners.remove(ring)

    def give(self, arrival: Arrival, finish: Finish | None) -> None:
        """For the generator: one token more, and whether it was the last."""
        with self._changed:
            if self._end is None:  # else it was cancelled meanwhile
                self._arrivals.append(arrival)
                self._end = finish
                self._tell()

    def fail(self, error: Exception) -> None:
        """For the generator: there will be no more tokens."""
        with self._changed:
            if self._end is None:
                self._end = error
                self._tell()

    def _tell(self) -> None:
        self._changed.notify_all()
        for listener in self._listeners:
            listener()

    def _after(self, place: int) -> tuple[list[Arrival], bool]:
        """What came after the first ``place`` tokens, and whether that was all."""
        with self._changed:
            return self._arrivals[place:], self._end is not None

    def _completion(self) -> Completion:
        if isinstance(self._end, Finish):
            return Completion(tokens=tuple(arrival.token for arrival in self._arrivals), finish=self._end)
        raise _again(self._end)


def _again(end: Exception | None) -> Exception:
    """An error for one more caller, because a raised error remembers where it was raised."""
    if isinstance(end, EngineError | CancelledError):
        return type(end)(*end.args)
    return end or RuntimeError("nothing has ended")
