"""Answers of a generation: all at once as JSON, or each token as a server-sent event.

Events have the names ``token``, ``end`` and ``error``; their data is JSON on one line. A client that leaves,
or a server that ends, cancels the generation.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from workloads.energon.errors import EngineClosed
from workloads.energon.serving.metrics import ServingMetrics
from workloads.energon.serving.refusal import Refusal, refusal_of
from workloads.energon.token_stream import Arrival, Generation

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would hold events back
]


@dataclass(slots=True, kw_only=True)
class GenerationAnswer:
    """An ASGI application that answers one request."""

    generation: Generation
    metrics: ServingMetrics
    is_streamed: bool
    has_begun: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send tokens as long as the client is there."""
        outcome = "cancelled"
        answer = self._stream(scope, receive, send) if self.is_streamed else self._whole(scope, receive, send)
        try:
            outcome = await _unless_left(receive, answer) or outcome
        except asyncio.CancelledError:  # the time to drain is over; nothing follows that could be cancelled
            outcome = await self._refuse(EngineClosed(), scope, receive, send)
        except Exception as error:  # whatever it is, the client must hear of it
            outcome = await self._refuse(error, scope, receive, send)
        finally:
            self.generation.cancel()
            self.metrics.count_outcome(outcome)

    async def _whole(self, scope: Scope, receive: Receive, send: Send) -> str:
        async with aclosing(self._arrivals()) as arrivals:
            async for _ in arrivals:
                pass
        completion = self.generation.result()
        self.has_begun = True
        await JSONResponse(asdict(completion))(scope, receive, send)
        return completion.finish

    async def _stream(self, _scope: Scope, _receive: Receive, send: Send) -> str:
        place = 0
        async with aclosing(self._arrivals()) as arrivals:
            async for arrival in arrivals:
                if not self.has_begun:  # not before: what fails until the first token gets its own status
                    self.has_begun = True
                    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                await _send_event(send, "token", {"token": arrival.token, "place": place})
                place += 1
        completion = self.generation.result()
        await _send_event(send, "end", asdict(completion), is_last=True)
        return completion.finish

    async def _arrivals(self) -> AsyncGenerator[Arrival, None]:
        """Each token, counted and timed."""
        asked_ns = last_ns = self.generation.asked_ns
        histogram = self.metrics.first_token
        async with aclosing(self.generation.arrivals()) as arrivals:
            async for arrival in arrivals:
                self.metrics.count_token()
                histogram.observe(arrival.at_ns - last_ns)
                last_ns, histogram = arrival.at_ns, self.metrics.next_token
                yield arrival
        self.metrics.request.observe(last_ns - asked_ns)

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> str:
        refusal: Refusal = refusal_of(error, retry_after_s=1)
        if not self.has_begun:
            await refusal.response()(scope, receive, send)
        elif self.is_streamed:
            await _send_event(send, "error", refusal.document, is_last=True)
        return refusal.kind


async def _unless_left(receive: Receive, answer: Coroutine[None, None, str]) -> str | None:
    """What ``answer`` gives; None, and it is cancelled, when the client leaves before."""
    answering = asyncio.ensure_future(answer)
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return answering.result() if answering.done() else None
    finally:
        for task in (answering, leaving):
            task.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_event(send: Send, name: str, data: Any, *, is_last: bool = False) -> None:  # Any: JSON
    text = f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
    await send({"type": "http.response.body", "body": text.encode(), "more_body": not is_last})
