"""What became of a point, told from the outcomes of its attempts."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from saih.domain.record import Outcome
from saih.store.codec import OutcomeNote


class PointStatus(StrEnum):
    """What became of a point so far."""

    PENDING = "pending"
    """Not measured yet; lost and interrupted attempts leave a point here."""
    COMPLETED = "completed"
    FAILED = "failed"
    """An attempt ended for a reason that measuring again would not change."""
    DAMAGED = "damaged"
    """Nothing decisive verifies; it is measured again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointState:
    """A point's status, with the outcome and reason of the attempt that decides it."""

    status: PointStatus
    outcome: Outcome | None
    reason: str
    num_attempts: int
    """Attempts begun, interrupted ones included."""
    num_lost: int

    @property
    def is_to_be_measured(self) -> bool:
        """Whether the next campaign measures it."""
        return self.status in (PointStatus.PENDING, PointStatus.DAMAGED)


def state_of(notes: Sequence[OutcomeNote], damages: Sequence[str], num_attempts: int) -> PointState:
    """The state of a point with these outcomes (oldest first) and these damaged attempts."""
    completed = [note for note in notes if note.outcome is Outcome.COMPLETED]
    failed = [note for note in notes if note.outcome not in (Outcome.COMPLETED, Outcome.LOST)]
    decisive = completed[:1] or failed[-1:] or notes[-1:]
    return PointState(
        status=_status(is_completed=bool(completed), is_failed=bool(failed), is_damaged=bool(damages)),
        outcome=decisive[0].outcome if decisive else None,
        reason=_reason(decisive, [] if completed or failed else damages),
        num_attempts=num_attempts,
        num_lost=sum(note.outcome is Outcome.LOST for note in notes),
    )


def _status(*, is_completed: bool, is_failed: bool, is_damaged: bool) -> PointStatus:
    if is_completed:
        return PointStatus.COMPLETED
    if is_failed:
        return PointStatus.FAILED
    return PointStatus.DAMAGED if is_damaged else PointStatus.PENDING


def _reason(decisive: Sequence[OutcomeNote], damages: Sequence[str]) -> str:
    if damages:
        return damages[-1]
    return decisive[0].reason if decisive else ""
