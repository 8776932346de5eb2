"""Attempts at points, written to the store and told to the launcher; rank 0 alone has one."""

import threading

from saih.domain.interval import median
from saih.domain.point import Point
from saih.domain.record import AttemptResult, Environment
from saih.harness.ending import Ending
from saih.harness.events import tell
from saih.store.attempt import Attempt
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish


class AttemptLog:
    """Begins and finishes one attempt at a time; whoever finishes first, the sentinel too, is heard."""

    def __init__(self, folder: SweepFolder, environment: Environment) -> None:
        self._folder = folder
        self._environment = environment
        self._attempt: Attempt | None = None
        self._lock = threading.Lock()

    def begin(self, point: Point) -> None:
        """Open the next attempt at the point."""
        attempt = begin_attempt(self._folder, point, self._environment)
        tell("point_begin", point_id=attempt.point_id, attempt=attempt.number)
        self._attempt = attempt

    def finish(self, result: AttemptResult) -> None:
        """Close the open attempt with its result; nothing where none is open."""
        with self._lock:
            attempt, self._attempt = self._attempt, None
            if attempt is None:
                return
            finish(attempt, result)
        tell(
            "point_end",
            point_id=attempt.point_id,
            attempt=attempt.number,
            outcome=result.outcome,
            reason=result.reason,
            stop_reason=result.stop_reason,
            step_ns=None if result.steps is None else median(result.steps.slowest_ns),
        )

    def last_words(self, ending: Ending) -> None:
        """Close the open attempt, if there is one, as the job ends."""
        self.finish(
            AttemptResult(outcome=ending.outcome, reason=ending.reason, stop_reason="", steps=None, notes={})
        )
