"""What was met in a bundle so far, and whether all of it together is one sweep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from saih.domain.bundle import Bundle
from saih.domain.ceiling import Ceilings
from saih.store import codec
from saih.store.adaptive_file import decode_adaptive
from saih.store.bundle_layout import DEFINITION, LEFT_OUT, LIMITS, study_of
from saih.store.bundle_record import CheckedAttempt
from saih.store.bundle_refusal import decoded, refusal
from saih.store.ceilings_file import ceilings_path
from saih.store.study_file import SEARCH_ID, decode_search, decode_validation


@dataclass(slots=True, kw_only=True)
class Census:
    """What was met so far; it grows while a bundle is read, file by file."""

    definition: Mapping[str, Any] = field(default_factory=dict)  # Any: plain JSON values
    point_ids: set[str] = field(default_factory=set)
    environment_ids: set[str] = field(default_factory=set)
    num_attempts: int = 0
    last_finished_utc: str = ""
    _measured_on: set[str] = field(default_factory=set)
    """Environments of the attempts that were not lost: those that measured something."""
    _ceilings_due: set[str] = field(default_factory=set)
    """The names that ceilings of this sweep may have."""
    _ceilings: list[str] = field(default_factory=list)

    def add_attempt(self, attempt: CheckedAttempt) -> None:
        """Count an attempt."""
        self.num_attempts += 1
        self.point_ids.add(attempt.point_id)
        self.environment_ids.add(attempt.environment_id)
        if not attempt.is_lost:
            self._measured_on.add(attempt.environment_id)
        self._ceilings_due.add(ceilings_name(attempt.environment_id, attempt.placement.seats_label))
        self.last_finished_utc = max(self.last_finished_utc, attempt.finished_utc)

    def add_file(self, name: str, data: bytes) -> None:
        """Take in a file that is of no attempt.

        Raises:
            DamagedData: when it is not what its name says.
        """
        if name == DEFINITION:
            self.definition = decoded(codec.decode_definition, data, name)
        elif name == LIMITS:
            decoded(codec.decode_limits, data, name)
        elif name == LEFT_OUT:
            decoded(decode_adaptive, data, name)
        elif name.startswith("ceilings/"):
            self._add_ceilings(name, decoded(codec.decode_ceilings, data, name))
        elif study_of(name) == SEARCH_ID:
            decoded(decode_search, data, name)
        elif study_of(name):
            decoded(partial(decode_validation, subject_id=study_of(name)), data, name)

    def require(self, about: Bundle) -> None:
        """Refuse a bundle whose files are not those of one sweep, or not as many as it says.

        Raises:
            DamagedData: then, with what does not fit.
        """
        found = (len(self.point_ids), self.num_attempts, self.last_finished_utc, sorted(self.environment_ids))
        said = (about.num_points, about.num_attempts, about.last_finished_utc, list(about.environment_ids))
        if found != said:
            raise refusal(f"it says to hold {_words(said)}, and holds {_words(found)}")
        if len(self._measured_on) > 1:
            raise refusal(f"its records are of several environments: {', '.join(sorted(self._measured_on))}")
        for name in self._ceilings:
            if name not in self._ceilings_due:
                raise refusal("they are of no environment and placement of its records", name)

    def _add_ceilings(self, name: str, ceilings: Ceilings) -> None:
        if name != ceilings_name(ceilings.environment_id, ceilings.placement_label):
            raise refusal(f"they are of {ceilings.placement_label} in {ceilings.environment_id}", name)
        self._ceilings.append(name)


def ceilings_name(environment_id: str, placement_label: str) -> str:
    """The name in a bundle of the ceilings of an environment and a placement."""
    return ceilings_path(Path(), environment_id, placement_label).as_posix()


def _words(counts: tuple[int, int, str, list[str]]) -> str:
    points, attempts, last_utc, environments = counts
    return (
        f"{points} points, {attempts} attempts, the last of {last_utc or 'never'}, "
        f"in environments {', '.join(environments)}"
    )
