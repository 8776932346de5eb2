"""What a search for the fastest execution tries at a moment, and what ended its ranks."""

from dataclasses import dataclass

from saih.domain.moment import require_utc
from saih.domain.record import Outcome

BESIDE = "beside"
"""Setting of a trial of what the found execution is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One value of one setting that is tried."""

    setting: str
    value: str

    @property
    def words(self) -> str:
        """Such as ``precision bfloat16``, or ``plain``."""
        return f"{self.setting} {self.value}".strip().replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class FatalTrial:
    """A trial that ended the ranks that made it, so that they could not tell why."""

    trial: Trial
    outcome: Outcome
    reason: str
    ended_utc: str

    def __post_init__(self) -> None:
        require_utc(self.ended_utc)
