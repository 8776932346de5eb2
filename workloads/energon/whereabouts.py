"""What a rank does at a moment, told by the calls that its working thread is in."""

import sys
import traceback
from dataclasses import dataclass
from enum import StrEnum
from threading import Thread
from types import CodeType, FrameType

_FOR_OTHERS = (
    "torch.distributed",
    "workloads.energon.inlet",
    "workloads.energon.mates",
    "workloads.energon.outlet",
)
"""Whose calls wait for other ranks."""
_STACK_CHARACTERS = 2000


class Doing(StrEnum):
    """What a rank may do."""

    WORK = "work"
    """It computes, or hangs."""
    WAIT = "wait"
    """It waits for another rank."""
    REST = "rest"
    """It has nothing to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """What one rank does."""

    doing: Doing
    stack: str
    """The last of the calls that it is in."""


def whereabouts(thread: Thread, rest: CodeType) -> Whereabouts:
    """What a running thread does; in the code of ``rest`` it has nothing to do."""
    frame = sys._current_frames()[thread.ident or 0]  # noqa: SLF001  # documented, to look at other threads
    stack = "".join(traceback.format_stack(frame))[-_STACK_CHARACTERS:]
    return Whereabouts(doing=_doing(frame, rest), stack=stack)


def _doing(frame: FrameType, rest: CodeType) -> Doing:
    if frame.f_code is rest:
        return Doing.REST
    call: FrameType | None = frame
    while call is not None:
        if str(call.f_globals.get("__name__", "")).startswith(_FOR_OTHERS):
            return Doing.WAIT
        call = call.f_back
    return Doing.WORK
