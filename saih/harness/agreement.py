"""All ranks agree how a point ended; a rank that stays away puts the job in doubt."""

import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from saih.domain.record import Outcome
from saih.harness.clock import host_ns
from saih.harness.ending import COMPLETED, MAX_MESSAGE_BYTES, Ending, severity
from saih.machine.messages import decode, encode
from saih.machine.mpi import MPI

GRACE_S = 3.0
"""How long a failed rank waits for the others, which may sit in a collective that it left."""
_POLL_S = 0.001


def agree(comm: MPI.Intracomm, own: Ending, patience_s: float, beat: Callable[[str], None]) -> Ending | None:
    """The ending that all ranks record; None when some rank did not come within ``patience_s``.

    The ranks find the worst of their endings by one reduction of a number, and where not all completed the
    rank that has it tells it: no rank hears more than one ending. ``beat`` is told all the while that this
    rank waits: it is not stuck.

    After None no further collective may be tried: the ranks are in doubt and the job must end.
    """
    deadline_ns = host_ns() + round(patience_s * 1e9)
    worst = np.array([severity(own) * comm.size + comm.rank], dtype=np.int64)
    if not _done(comm.Iallreduce(MPI.IN_PLACE, worst, op=MPI.MIN), deadline_ns, beat):
        return None
    level, speaker = divmod(int(worst[0]), comm.size)
    if level == severity(COMPLETED):
        return COMPLETED
    message = bytearray(encode(asdict(own)) if comm.rank == speaker else b"").ljust(MAX_MESSAGE_BYTES, b"\0")
    # All ranks are here by now.
    deadline_ns = max(deadline_ns, host_ns() + round(GRACE_S * 1e9))
    if not _done(comm.Ibcast([message, MPI.BYTE], root=speaker), deadline_ns, beat):
        return None
    return _ending(bytes(message))


def _done(request: MPI.Request, deadline_ns: int, beat: Callable[[str], None]) -> bool:
    """Whether all ranks came in time."""
    while not request.Test():
        if host_ns() > deadline_ns:
            return False
        beat("waiting for the other ranks to end")
        time.sleep(_POLL_S)
    return True


def _ending(data: bytes) -> Ending:
    message = dict(decode(data))
    return Ending(**{**message, "outcome": Outcome(message["outcome"])})
