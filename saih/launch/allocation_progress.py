"""What a driver inside an allocation tells: lines in the job's log, and how far its batch is."""

import sys
import time
from datetime import UTC, datetime

from saih.domain.batch import BatchProgress
from saih.domain.errors import SaihError
from saih.launch.event import Event
from saih.store.batch_folder import BatchFolder, write_progress
from saih.store.fence import Fence

_PAUSE_S = 2.0


def log_line(text: str) -> None:
    """One line in the job's log, at once."""
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    sys.stdout.write(f"{stamp} {' '.join(text.split())}\n")
    sys.stdout.flush()


class BatchReport:
    """Hears the events of a batch, and says how far it is: at every change, else at most every 2 s."""

    def __init__(self, folder: BatchFolder, fence: Fence, done: frozenset[str], num_points: int) -> None:
        self._folder = folder
        self._fence = fence
        self._done = set(done)
        self._num_points = num_points
        self._task, self._point_id, self._text = "generate", "", "starting"
        self._said_s = 0.0
        self._say()

    def hear(self, event: Event) -> None:
        """Tell what happened."""
        kind = event["event"]
        if kind == "job_begin":
            self._task, self._text = str(event["task"]), f"{event['task']} begins"
            log_line(f"{event['task']} of {event['num_points']} points begins, log {event['log']}")
        elif kind == "point_begin":
            self._point_id = str(event["point_id"])
            self._text = f"measuring {self._point_id}"
            log_line(f"point {self._point_id} attempt {event['attempt']} begins")
        elif kind == "point_end":
            self._end_point(event)
        elif kind in ("message", "progress"):
            self._text = str(event.get("text", ""))
            if kind == "message":
                log_line(self._text)
        if kind not in ("message", "progress") or time.monotonic() - self._said_s > _PAUSE_S:
            self._say()

    def seal(self, text: str) -> None:
        """Say that this holder has ended, and how. Nothing more is heard afterwards."""
        self._task, self._point_id, self._text = "ended", "", text
        log_line(text)
        self._say()

    def _end_point(self, event: Event) -> None:
        point_id, outcome = str(event["point_id"]), str(event["outcome"])
        self._point_id = ""
        if outcome != "lost":
            self._done.add(point_id)
        self._text = f"{point_id} {outcome}"
        reason = f": {event['reason']}" if event.get("reason") else ""
        log_line(f"point {point_id} {outcome} ({len(self._done)} of {self._num_points}){reason}")

    def _say(self) -> None:
        self._said_s = time.monotonic()
        if not self._fence.is_open:
            return
        progress = BatchProgress(
            token=self._fence.token,
            task=self._task,
            point_id=self._point_id,
            num_done=len(self._done),
            num_points=self._num_points,
            text=self._text[:500],
            at_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        try:
            write_progress(self._folder, progress)
        except SaihError as error:  # a full disk must not end a measurement that is under way
            log_line(f"progress was not written: {error.problem}")
