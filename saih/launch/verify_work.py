"""The jobs that put measured points to the test, by placement; a point that fails is passed over."""

from collections.abc import Sequence
from dataclasses import replace

from saih.domain.errors import Interrupted, SaihError, Superseded
from saih.domain.point import Placement, Point
from saih.launch.event import Event
from saih.launch.job_run import Surroundings, require_done, run_job
from saih.store.sweep_folder import SweepFolder
from saih.store.verification_file import completed_attempt, is_tried


def verify(around: Surroundings, points: Sequence[Point]) -> None:
    """Run the windows of every measured point that has no trial yet.

    A point at which the ranks end is passed over, so that it does not keep the others waiting.

    Raises:
        Interrupted: when it is time to stop; what was finished is kept.
        Superseded: when somebody else took the points over.
        SaihError: of the first job that ended early, after the others.
    """
    groups: dict[Placement, list[Point]] = {}
    for point in untried(around.folder, points, around.options.verify_since_utc):
        groups.setdefault(point.placement, []).append(point)
    errors: list[SaihError] = []
    for placement, group in groups.items():
        left = group
        while left:
            left, error = _verify_some(around, placement, left)
            errors += [error] if error is not None else []
    if errors:
        raise errors[0]


def untried(folder: SweepFolder, points: Sequence[Point], since_utc: str = "") -> list[Point]:
    """The points with a completed record and without a trial, each once, in their order."""
    unique = {point.point_id: point for point in points}
    found = []
    for point in unique.values():
        attempt = completed_attempt(folder, point.point_id)
        if attempt is not None and not is_tried(attempt, since_utc):
            found.append(point)
    return found


def _verify_some(
    around: Surroundings, placement: Placement, points: Sequence[Point]
) -> tuple[list[Point], SaihError | None]:
    """One job; gives the points that it did not come to, and why it ended before."""
    heard: list[str] = []

    def hear(event: Event) -> None:
        if event["event"] in ("verify_begin", "verify_end"):
            heard.append(str(event["point_id"]))
        around.on_event(event)

    try:
        require_done(run_job(replace(around, on_event=hear), "verify", placement, points))
    except (Interrupted, Superseded):
        raise
    except SaihError as error:
        left = [point for point in points if point.point_id not in heard]
        # A job that never came to a point would end so again.
        return (left if heard else []), error
    return [], None
