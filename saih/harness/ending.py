"""How the work on a point ended on one rank, and which rank's ending speaks for all."""

from dataclasses import dataclass

import torch

from saih.domain.record import Outcome

_MEMORY_TEXTS = (
    "can't allocate memory",
    "DefaultCPUAllocator",
    "CUDA out of memory",
    "Cannot allocate memory",
    "MemoryError:",
)
_ECHO_TEXTS = (
    "gloo/transport",
    "NCCL error",
    "Connection closed by peer",
    "process group has been aborted",
    "Horovod has been shut down",
    "LinkError: ",
)
MAX_REASON = 1500
MAX_MESSAGE_BYTES = 12 * MAX_REASON + 1024
"""Of one ending between ranks: JSON spends up to 12 bytes on a character."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How the work ended. ``reason`` is empty for a completed one."""

    outcome: Outcome
    reason: str = ""
    is_echo: bool = False
    """True when this rank failed only because another one went away."""


COMPLETED = Ending(outcome=Outcome.COMPLETED)


def ending_of(error: BaseException, rank: int) -> Ending:
    """What an exception on ``rank`` means for its point."""
    text = _text(error)
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or any(part in text for part in _MEMORY_TEXTS):
        reason = (
            f"rank {rank} ran out of memory: {text}. Use a smaller problem or batch, or fewer ranks per node."
        )
        return Ending(outcome=Outcome.OUT_OF_MEMORY, reason=reason[:MAX_REASON])
    return Ending(
        outcome=Outcome.FAILED,
        reason=f"rank {rank} raised {text}"[:MAX_REASON],
        is_echo=any(part in text for part in _ECHO_TEXTS),
    )


def severity(ending: Ending) -> int:
    """How little this ending says when ranks end differently; the lowest speaks for all.

    The first cause wins: lack of memory before other failures (one lacking rank makes others fail), and
    a failure of its own before the echo of another's.
    """
    if ending.outcome is Outcome.COMPLETED:
        return 4
    return 2 * (ending.outcome is not Outcome.OUT_OF_MEMORY) + ending.is_echo


def _text(error: BaseException) -> str:
    first_line = (str(error).strip() or "no message").splitlines()[0]
    return f"{type(error).__name__}: {first_line}"
