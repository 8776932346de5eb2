"""What ranks tell each other during a study, where any of them may fail at any time."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from saih.machine.messages import gather_all
from saih.machine.mpi import MPI
from workloads.protocol import Told

_POLL_S = 0.01


class OtherRankError(RuntimeError):
    """What another rank would have told will not come."""


def gather_told(
    comm: MPI.Intracomm, told: Told, beat: Callable[[str], None], *, has_failed: bool = False
) -> Sequence[Told]:
    """What all ranks told, by rank; a rank that waits for the others to come is not stuck.

    Raises:
        OtherRankError: on every rank, where one tells that it failed instead.
    """
    request = comm.Ibarrier()
    while not request.Test():
        beat("waiting for what other ranks find")
        time.sleep(_POLL_S)
    found = gather_all(comm, {"told": told, "has_failed": has_failed})
    if any(one["has_failed"] for one in found):
        raise OtherRankError("another rank failed; what it found will not come")
    return [one["told"] for one in found]


def tell_failure(comm: MPI.Intracomm, beat: Callable[[str], None]) -> None:
    """Let the ranks that wait for what this one finds go on to the end that all agree on."""
    with suppress(OtherRankError):
        gather_told(comm, {}, beat, has_failed=True)
