"""Attempts at points, written to the store and told to the launcher; rank 0 alone has one."""

import os
import threading
from dataclasses import replace

from saih.domain.interval import median
from saih.domain.point import Point
from saih.domain.record import AttemptResult, Environment
from saih.harness.ending import Ending
from saih.harness.events import tell
from saih.machine.scheduler_job import scheduler_notes
from saih.store.attempt import Attempt
from saih.store.fence import Fence
from saih.store.sweep_folder import SweepFolder, begin_attempt, finish


class AttemptLog:
    """Begins and finishes one attempt at a time; whoever finishes first, the sentinel too, is heard."""

    def __init__(self, folder: SweepFolder, environment: Environment, fence: Fence) -> None:
        self._folder = folder
        self._environment = environment
        self._fence = fence
        self._attempt: Attempt | None = None
        self._lock = threading.Lock()

    def begin(self, point: Point) -> None:
        """Open the next attempt at the point; Superseded when the points were taken over."""
        attempt = begin_attempt(self._folder, point, self._environment, self._fence)
        tell("point_begin", point_id=attempt.point_id, attempt=attempt.number)
        self._attempt = attempt

    def finish(self, result: AttemptResult) -> None:
        """Close the open attempt with its result; nothing where none is open.

        Raises:
            Superseded: when the points were taken over; the result then counts for nothing.
        """
        result = replace(result, notes={**result.notes, **scheduler_notes(os.environ)})
        with self._lock:
            attempt, self._attempt = self._attempt, None
            if attempt is None:
                return
            finish(attempt, result, self._fence)
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
