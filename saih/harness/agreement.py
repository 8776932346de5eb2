"""All ranks agree how a point ended; a rank that stays away puts the job in doubt."""

import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
from mpi4py import MPI

from saih.domain.record import Outcome
from saih.harness.clock import host_ns
from saih.harness.ending import MAX_MESSAGE_BYTES, Ending, common_ending
from saih.machine.messages import decode, encode

GRACE_S = 3.0
"""How long a failed rank waits for the others, which may sit in a collective that it left."""
_POLL_S = 0.001


def agree(comm: MPI.Intracomm, own: Ending, patience_s: float, beat: Callable[[str], None]) -> Ending | None:
    """The ending that all ranks record; None when some rank did not come within ``patience_s``.

    ``beat`` is told all the while that this rank waits: it is not stuck.

    After None no further collective may be tried: the ranks are in doubt and the job must end.
    """
    sent = np.frombuffer(encode(asdict(own)).ljust(MAX_MESSAGE_BYTES, b"\0"), dtype=np.uint8)
    received = np.zeros((comm.size, MAX_MESSAGE_BYTES), dtype=np.uint8)
    request = comm.Iallgather(sent, received)
    deadline_ns = host_ns() + round(patience_s * 1e9)
    while not request.Test():
        if host_ns() > deadline_ns:
            return None
        beat("waiting for the other ranks to end")
        time.sleep(_POLL_S)
    return common_ending([_ending(row.tobytes()) for row in received])


def _ending(data: bytes) -> Ending:
    message = dict(decode(data))
    return Ending(**{**message, "outcome": Outcome(message["outcome"])})
