"""What a client may ask for, checked before a generator hears of it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from workloads.energon.serving.refusal import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingLimits:
    """Bounds of one server."""

    body_bytes: int = 1 << 20
    """The largest body of a request: about 150 000 token ids."""
    body_timeout_s: float = 30.0
    """How long a body may take to arrive."""
    max_new_tokens: int = 4096
    """The most tokens that one request may ask for."""
    retry_after_s: int = 1
    """When a client shall ask again that was refused because too many wait [s]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateBody:
    """What a client wrote."""

    prompt: Any  # Any: whatever JSON can say; the generator checks it
    max_new_tokens: Any
    stop: Any
    is_streamed: bool


_KEYS = ("prompt", "max_new_tokens", "stop", "stream")


async def read_body(request: Request, limits: ServingLimits) -> bytes:
    """The body of a request.

    Raises:
        Refusal: when it is too large, or does not come.
        ClientDisconnect: when the client left.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limits.body_bytes):
        raise _too_large(limits)
    parts, num_bytes = [], 0
    try:
        async with asyncio.timeout(limits.body_timeout_s):
            async for part in request.stream():
                num_bytes += len(part)
                if num_bytes > limits.body_bytes:
                    raise _too_large(limits)
                parts.append(part)
    except TimeoutError:
        text = f"the body did not arrive within {limits.body_timeout_s:g} s; send it at once."
        raise Refusal(408, "request_timeout", text) from None
    return b"".join(parts)


def parsed_body(body: bytes, limits: ServingLimits) -> GenerateBody:
    """What a client asks for.

    Raises:
        Refusal: when it is no request, with what is wrong.
    """
    document = _document(body)
    if unknown := sorted(set(document) - set(_KEYS)):
        raise _bad(f"{_listed(unknown)} mean nothing here; use {', '.join(_KEYS)}.")
    if missing := [key for key in ("prompt", "max_new_tokens") if key not in document]:
        raise _bad(f"{' and '.join(missing)} must be given.")
    if not isinstance(stream := document.get("stream", False), bool):
        raise _bad("stream must be true or false.")
    most = document["max_new_tokens"]
    if isinstance(most, int) and most > limits.max_new_tokens:
        text = f"max_new_tokens is beyond {limits.max_new_tokens}, the most of this server; ask for fewer."
        raise Refusal(413, "too_long", text)
    return GenerateBody(
        prompt=document["prompt"], max_new_tokens=most, stop=document.get("stop", []), is_streamed=stream
    )


def _document(body: bytes) -> Mapping[str, Any]:  # Any: as JSON gives it
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:  # the latter: thousands of brackets
        text = (
            f"the body is no JSON: {error}"
            if isinstance(error, ValueError)
            else "the body is nested too deeply."
        )
        raise _bad(text) from None
    if not isinstance(document, dict):
        raise _bad('the body must be an object such as {"prompt": [464, 3290], "max_new_tokens": 8}.')
    return document


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name[:60]) for name in names[:5])


def _bad(text: str) -> Refusal:
    return Refusal(400, "bad_request", text)


def _too_large(limits: ServingLimits) -> Refusal:
    return Refusal(413, "body_too_large", f"the body is beyond {limits.body_bytes} bytes; send less.")
