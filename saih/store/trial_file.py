"""What a search is trying, kept while it does: ranks that it ends cannot tell, but what started them can.

Below the results folder, ``executions/ENVIRONMENT_ID/ID.trying`` is there during a trial, and
``ID.fatal`` lists those that ended their ranks: later searches leave them out.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from saih.domain.errors import DamagedData
from saih.domain.point import Point
from saih.domain.record import Outcome
from saih.domain.trial import FatalTrial, Trial
from saih.domain.tuning import tuned_id_of
from saih.store.document import parse, render
from saih.store.files import MAX_JSON_BYTES, make_folder, read_file, write_file, writing_at
from saih.store.structure import from_json
from saih.store.tuned_file import EXECUTIONS, tuned_path

_TRYING, _FATAL = ".trying", ".fatal"
_TRIAL_KIND, _FATAL_KIND = "saih trial", "saih fatal trials"


@dataclass(frozen=True, slots=True, kw_only=True)
class _FatalTrials:
    trials: tuple[FatalTrial, ...]


@contextmanager
def trial_kept(root: Path, environment_id: str, point: Point, trial: Trial) -> Iterator[None]:
    """Keep for the time of the block that ``trial`` is made for ``point``.

    Raises:
        SaihError: when nothing can be written there.
    """
    path = tuned_path(root, environment_id, tuned_id_of(point)).with_suffix(_TRYING)
    with writing_at(path.parent):
        make_folder(path.parent)
        write_file(path, render(_TRIAL_KIND, trial))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def condemn(root: Path, point: Point, *, since: Path, outcome: Outcome, reason: str) -> Trial | None:
    """Note that the trial that was being made for ``point`` ended its ranks; None where there was none.

    One that was begun before the file ``since`` was written was left by somebody who was killed, and is
    forgotten.

    Raises:
        SaihError: when nothing can be written there.
    """
    condemned = None
    for path in sorted((root / EXECUTIONS).glob(f"*/{tuned_id_of(point)}{_TRYING}")):
        with suppress(FileNotFoundError, DamagedData):
            if path.stat().st_mtime_ns >= since.stat().st_mtime_ns:
                data = read_file(path, MAX_JSON_BYTES)
                condemned = parse(_TRIAL_KIND, data, path, lambda value: from_json(Trial, value))
                _add(path.with_suffix(_FATAL), condemned, outcome, reason)
        path.unlink(missing_ok=True)
    return condemned


def fatal_trials(
    root: Path, environment_id: str, point: Point, since_utc: str = ""
) -> tuple[FatalTrial, ...]:
    """Those of earlier searches, from ``since_utc`` on; a list that does not verify says nothing."""
    path = tuned_path(root, environment_id, tuned_id_of(point)).with_suffix(_FATAL)
    return tuple(one for one in _read(path) if one.ended_utc >= since_utc)


def _add(path: Path, trial: Trial, outcome: Outcome, reason: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    fatal = FatalTrial(trial=trial, outcome=outcome, reason=reason, ended_utc=now)
    with writing_at(path.parent):
        write_file(path, render(_FATAL_KIND, _FatalTrials(trials=(*_read(path), fatal))))


def _read(path: Path) -> tuple[FatalTrial, ...]:
    try:
        data = read_file(path, MAX_JSON_BYTES)
        return parse(_FATAL_KIND, data, path, lambda value: from_json(_FatalTrials, value)).trials
    except (FileNotFoundError, DamagedData):
        return ()
