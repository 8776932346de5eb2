"""The HTTP API: POST /v1/generate, GET /health, GET /metrics."""

from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from workloads.energon.generation import Generator
from workloads.energon.serving.events import GenerationAnswer
from workloads.energon.serving.limits import GenerateBody, ServingLimits, parsed_body, read_body
from workloads.energon.serving.metrics import CONTENT_TYPE, ServingMetrics
from workloads.energon.serving.refusal import Refusal, refusal_of
from workloads.energon.token_stream import Generation

_CLIENT_LEFT = 499
"""As nginx counts them; nobody reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a server needs; who made the generator closes it."""

    generator: Generator
    death: Callable[[], str]
    """Why nothing will be answered any more, for everybody to read; empty while the engine lives."""
    limits: ServingLimits = field(default_factory=ServingLimits)
    metrics: ServingMetrics = field(default_factory=ServingMetrics)


def make_app(service: Service) -> Starlette:
    """The ASGI application."""
    front = _Front(service)
    return Starlette(
        routes=[
            Route("/v1/generate", front.generate, methods=["POST"]),
            Route("/health", front.health, methods=["GET"]),
            Route("/metrics", front.metrics, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _unknown, Exception: _broken},
    )


class _Front:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def generate(self, request: Request) -> ASGIApp:
        """Tokens that follow a prompt, at once or as events."""
        service = self._service
        try:
            body = parsed_body(await read_body(request, service.limits), service.limits)
            generation = self._asked(body)
        except ClientDisconnect:
            service.metrics.count_outcome("cancelled")
            return Response(status_code=_CLIENT_LEFT)
        except Exception as error:  # whatever it is, the client must hear of it
            refusal = refusal_of(error, service.limits.retry_after_s)
            service.metrics.count_outcome(refusal.kind)
            return refusal.response()
        return GenerationAnswer(generation=generation, metrics=service.metrics, is_streamed=body.is_streamed)

    async def health(self, _request: Request) -> Response:
        """Whether requests are answered, and why not."""
        if death := self._service.death():
            return JSONResponse({"status": "dead", "reason": death}, status_code=503)
        return JSONResponse({"status": "ok"})

    async def metrics(self, _request: Request) -> Response:
        """Counts and times for Prometheus."""
        service = self._service
        text = service.metrics.text(service.generator.stats, is_up=not service.death())
        return Response(text, headers={"content-type": CONTENT_TYPE})

    def _asked(self, body: GenerateBody) -> Generation:
        generation = self._service.generator.generate(
            body.prompt, max_new_tokens=body.max_new_tokens, stop_ids=body.stop
        )
        self._service.metrics.count_prompt(len(generation.request.prompt))
        return generation


async def _unknown(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    kinds = {404: "not_found", 405: "method_not_allowed"}
    paths = "use POST /v1/generate, GET /health or GET /metrics."
    return Refusal(status, kinds.get(status, "bad_request"), f"nothing answers that; {paths}").response()


async def _broken(_request: Request, error: Exception) -> Response:
    return Refusal(500, "failed", type(error).__name__).response()
