"""The rule that one sweep holds the records of one environment."""

from collections.abc import Mapping

from saih.domain.errors import DamagedData, UsageError
from saih.domain.record import Environment, Outcome
from saih.store.attempt import read_environment, read_outcome
from saih.store.definition import differences
from saih.store.sweep_folder import SweepFolder, all_attempts


def require_same_environment(folder: SweepFolder, environment: Environment) -> None:
    """Do nothing when every finished record of the sweep comes from ``environment``.

    Attempts that were lost or interrupted measured nothing, so they may come from anywhere.

    Raises:
        UsageError: otherwise, with the facts that differ.
    """
    for attempt in all_attempts(folder):
        try:
            note = read_outcome(attempt)
            if note.outcome is Outcome.LOST or note.environment_id == environment.environment_id:
                continue
            facts = read_environment(attempt).facts
        except (FileNotFoundError, DamagedData):
            continue  # unfinished, or damaged: read_records reports that
        raise UsageError(
            f"{folder.path} holds records of another environment (such as {note.point_id}/attempt-"
            f"{note.attempt}):\n  {_shown(facts, environment.facts)}",
            "give this one a sweep of its own (--name OTHER), or go back to the environment of the records.",
        )


def _shown(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    return "\n  ".join(differences(old, new)) or "the facts are equal, but their id is not"
