"""Errors as clients see them: a status and {"error": {"type", "message"}}."""

import logging
from concurrent.futures import CancelledError

from starlette.responses import JSONResponse

from workloads.energon.errors import EngineClosed, EngineDead, QueueFull
from workloads.energon.generation_request import RequestTooLong
from workloads.transformer.errors import RequestError

_KINDS: tuple[tuple[type[Exception], int, str], ...] = (
    (RequestTooLong, 413, "too_long"),  # before what it is a kind of
    (RequestError, 400, "bad_request"),
    (QueueFull, 429, "queue_full"),
)
"""What is answered to errors of the client; their texts speak of what the client sent."""
_log = logging.getLogger(__name__)


class Refusal(Exception):  # noqa: N818  # it is an answer
    """An answer that is not what was asked for."""

    def __init__(self, status: int, kind: str, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.retry_after_s = retry_after_s

    @property
    def document(self) -> dict[str, dict[str, str]]:
        """The body."""
        return {"error": {"type": self.kind, "message": self.message}}

    def response(self) -> JSONResponse:
        """The whole answer."""
        headers = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        return JSONResponse(self.document, status_code=self.status, headers=headers)


def refusal_of(error: Exception, retry_after_s: int) -> Refusal:
    """What a client is told of an error of the generator; the log is told what clients are not.

    Texts of ranks may hold paths, addresses and values of others. An engine writes of its death itself.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, EngineClosed | CancelledError):
        return Refusal(503, "shutting_down", "the server is shutting down; ask another, or later.")
    if isinstance(error, EngineDead):
        return Refusal(
            503, "engine_dead", "the engine is dead; ask another server, or when it was started anew."
        )
    for kind, status, name in _KINDS:
        if isinstance(error, kind):
            retry = retry_after_s if kind is QueueFull else None
            return Refusal(status, name, str(error), retry)
    _log.error("a request failed: %s: %s", type(error).__name__, error)
    return Refusal(500, "failed", "the request failed on the server, whose log says why; others go on.")
