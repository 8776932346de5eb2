"""Taking a batch over from whoever worked on it before, and noticing when nothing comes of it."""

import os
import secrets
import socket
from collections.abc import Sequence
from datetime import UTC, datetime

from saih.domain.batch import Batch, Holder
from saih.domain.errors import DamagedData, SaihError
from saih.domain.record import AttemptResult, Outcome
from saih.launch.allocation_nodes import Allocation
from saih.store.attempt import Attempt, read_outcome
from saih.store.batch_folder import BatchFolder, read_holder, write_holder
from saih.store.fence import Fence
from saih.store.sweep_folder import attempts_of, finish

MAX_IDLE_RESTARTS = 3
"""After so many starts in a row that finished no point, the next one gives up."""


def take_over(folder: BatchFolder, batch: Batch, allocation: Allocation) -> Holder:
    """Hold the batch from now on; whoever held it before publishes nothing any more."""
    holder = Holder(
        token=secrets.token_hex(16),
        job_id=allocation.job_id,
        host=socket.gethostname(),
        process=os.getpid(),
        since_utc=datetime.now(UTC).isoformat(timespec="microseconds"),
        num_idle_restarts=_num_idle_restarts(folder, batch),
    )
    write_holder(folder, holder)
    return holder


def fence_of(folder: BatchFolder, holder: Holder) -> Fence:
    """What keeps earlier and later holders of the batch out."""
    return Fence(holder_path=str(folder.holder_path.absolute()), token=holder.token)


def require_progress(folder: BatchFolder, batch: Batch, holder: Holder) -> None:
    """Refuse to start once more when the last starts finished nothing.

    The attempts that they left open are lost, which says so in the status of their points.

    Raises:
        SaihError: with what was open each time.
    """
    if holder.num_idle_restarts < MAX_IDLE_RESTARTS:
        return
    open_attempts = _open_attempts(folder, batch)
    reason = (
        f"{holder.num_idle_restarts} starts of batch {batch.number} in a row ended before they finished a "
        "point; the logs beside the submission say how."
    )
    lost = AttemptResult(outcome=Outcome.LOST, reason=reason, stop_reason="", steps=None, notes={})
    for attempt in open_attempts:
        finish(attempt, lost, fence_of(folder, holder))
    begun = ", ".join(sorted({attempt.point_id for attempt in open_attempts})) or "no point"
    raise SaihError(
        f"{reason} Begun were: {begun}.",
        "a point may need more time than the job has, or its nodes may be ill: correct that, then run the "
        "same `saih sweep` again.",
    )


def _num_idle_restarts(folder: BatchFolder, batch: Batch) -> int:
    try:
        previous = read_holder(folder)
    except DamagedData:
        previous = None
    if previous is None or previous.num_idle_restarts >= MAX_IDLE_RESTARTS:
        return 0  # after giving up, only a user starts it again
    return 0 if _has_finished(folder, batch, previous.since_utc) else previous.num_idle_restarts + 1


def _has_finished(folder: BatchFolder, batch: Batch, since_utc: str) -> bool:
    """Whether a point of the batch got a decisive outcome since then."""
    since = datetime.fromisoformat(since_utc)
    for point in batch.points:
        for attempt in attempts_of(folder.sweep, point.point_id):
            try:
                note = read_outcome(attempt)
            except (FileNotFoundError, DamagedData):
                continue
            if note.outcome is not Outcome.LOST and datetime.fromisoformat(note.finished_utc) >= since:
                return True
    return False


def _open_attempts(folder: BatchFolder, batch: Batch) -> Sequence[Attempt]:
    """Attempts that were begun and have no outcome."""
    found = []
    for point in batch.points:
        for attempt in attempts_of(folder.sweep, point.point_id):
            try:
                read_outcome(attempt)
            except FileNotFoundError:
                found.append(attempt)
            except DamagedData:
                continue
    return found
