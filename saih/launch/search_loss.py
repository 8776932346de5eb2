"""What a search was trying when its ranks died: later searches leave it out, so that they come further."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from saih.domain.point import Point
from saih.domain.record import AttemptResult, Outcome
from saih.domain.trial import Trial
from saih.store.trial_file import condemn


def condemned(
    root: Path, points: Sequence[Point], began: Path, result: AttemptResult, *, are_all_searched: bool
) -> Mapping[str, Trial]:
    """The trials that ended a job's ranks, by the ids of their points; they are noted below ``root``.

    ``result`` says how the ranks ended, and ``began`` is a file that was written when they were started.
    """
    found: dict[str, Trial] = {}
    for point in points:
        if not (are_all_searched or point.execution.is_searched):
            continue
        reason = f"its ranks died while it was tried: {result.reason}"
        trial = condemn(root, point, since=began, outcome=_outcome(result), reason=reason)
        if trial is not None:
            found[point.point_id] = trial
    return found


def retold(result: AttemptResult, trial: Trial | None) -> AttemptResult:
    """The result of an attempt whose ranks died during this trial: without it the point may be measured."""
    if trial is None:
        return result
    reason = f"{result.reason} {left_out_words(trial)}"
    return replace(result, outcome=Outcome.LOST, reason=reason)


def left_out_words(trial: Trial) -> str:
    """A sentence on what no search tries again."""
    return (
        f"The search for the fastest execution was trying {trial.words}, which is left out from now on "
        "(`saih tune --again` tries it once more)."
    )


def _outcome(result: AttemptResult) -> Outcome:
    return Outcome.FAILED if result.outcome is Outcome.LOST else result.outcome
