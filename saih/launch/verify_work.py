"""The jobs that put measured points to the test, by placement; a point that fails is passed over."""

from collections.abc import Sequence
from dataclasses import replace

from saih.domain.errors import Interrupted, SaihError, Superseded
from saih.domain.point import Placement, Point
from saih.launch.event import Event, message
from saih.launch.job_run import Surroundings, require_done, run_job
from saih.store.sweep_folder import SweepFolder
from saih.store.verification_file import completed_attempt, is_tried


def verify(around: Surroundings, points: Sequence[Point]) -> None:
    """Run the windows of every measured point that has no trial yet.

    A point at which the ranks end is told and passed over: what is measured needs no test to be reported.

    Raises:
        Interrupted: when it is time to stop; what was finished is kept.
        Superseded: when somebody else took the points over.
        SaihError: when a job ends before it came to a point.
    """
    groups: dict[Placement, list[Point]] = {}
    for point in untried(around.folder, points, around.options.verify_since_utc):
        groups.setdefault(point.placement, []).append(point)
    for placement, group in groups.items():
        left = group
        while left:
            left = _verify_some(around, placement, left)


def untried(folder: SweepFolder, points: Sequence[Point], since_utc: str = "") -> list[Point]:
    """The points with a completed record and without a trial, each once, in their order."""
    unique = {point.point_id: point for point in points}
    found = []
    for point in unique.values():
        attempt = completed_attempt(folder, point.point_id)
        if attempt is not None and not is_tried(attempt, since_utc):
            found.append(point)
    return found


def _verify_some(around: Surroundings, placement: Placement, points: Sequence[Point]) -> list[Point]:
    """One job; gives the points that it did not come to, where it ended at one of them."""
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
        if not heard:  # it would end so again
            raise
        around.on_event(message(f"{error.problem} {error.remedy}"))
        return [point for point in points if point.point_id not in heard]
    return []
