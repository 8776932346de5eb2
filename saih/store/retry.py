"""Measuring failed points again, without losing what was written about their failures."""

from collections.abc import Iterable

from saih.domain.errors import DamagedData
from saih.domain.record import Outcome
from saih.store.attempt import OUTCOME, read_outcome
from saih.store.files import sync_folder, writing_at
from saih.store.sweep_folder import SweepFolder, attempts_of

SET_ASIDE = "retried.json"


def set_failures_aside(folder: SweepFolder, point_ids: Iterable[str]) -> int:
    """Make failed points pending, by renaming their outcomes; gives the number of attempts set aside.

    A completed attempt is never touched, so no finished point is lost.
    """
    num_renamed = 0
    for point_id in point_ids:
        for attempt in attempts_of(folder, point_id):
            try:
                outcome = read_outcome(attempt).outcome
            except (FileNotFoundError, DamagedData):
                continue
            if outcome is not Outcome.COMPLETED:
                with writing_at(attempt.path):
                    (attempt.path / OUTCOME).rename(attempt.path / SET_ASIDE)
                    sync_folder(attempt.path)
                num_renamed += 1
    return num_renamed
