"""The rule that one sweep holds the records of one environment."""

from collections.abc import Mapping

from saih.domain.errors import UsageError
from saih.domain.record import Environment, Outcome
from saih.store.attempt import Attempt, read_environment
from saih.store.definition import differences
from saih.store.sweep_folder import SweepFolder, point_digests, point_ids


def require_same_environment(folder: SweepFolder, environment: Environment) -> None:
    """Do nothing when every finished record of the sweep comes from ``environment``.

    Attempts that were lost or interrupted measured nothing, so they may come from anywhere.

    Raises:
        UsageError: otherwise, with the facts that differ.
    """
    for point_id, digest in point_digests(folder, point_ids(folder)).items():
        for number, outcome, environment_id in digest.finished:
            if outcome != Outcome.LOST and environment_id != environment.environment_id:
                attempt = Attempt(sweep_path=folder.path, point_id=point_id, number=number)
                raise _refusal(folder, attempt, environment)


def _refusal(folder: SweepFolder, attempt: Attempt, environment: Environment) -> UsageError:
    facts = read_environment(attempt).facts
    return UsageError(
        f"{folder.path} holds records of another environment (such as {attempt.point_id}/attempt-"
        f"{attempt.number}):\n  {_shown(facts, environment.facts)}",
        "give this one a sweep of its own (--name OTHER), or go back to the environment of the records.",
    )


def _shown(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    return "\n  ".join(differences(old, new)) or "the facts are equal, but their id is not"
