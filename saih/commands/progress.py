"""What a campaign is doing: one live line on a terminal, one full line per change elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saih.commands.lines import Lines
from saih.domain.quantity import with_si

_TASKS = {
    "generate": "making data sets",
    "ceilings": "measuring what the machine can do at best",
    "measure": "measuring",
}


@dataclass(slots=True, kw_only=True)
class Progress:
    """Hears the events of a campaign and tells them on stderr."""

    words: Mapping[str, str]
    """Each point in words, by its id."""
    num_points: int
    """How many points this campaign has to measure."""
    is_live: bool
    num_ended: int = 0
    begun_s: float | None = None
    lines: Lines = field(init=False)

    def __post_init__(self) -> None:
        self.lines = Lines(is_live=self.is_live)

    def hear(self, event: Mapping[str, Any]) -> None:
        """Tell one event; unknown ones are passed over."""
        match event.get("event"):
            case "message":
                self.lines.stay(str(event.get("text", "")))
            case "job_begin":
                self._begin(str(event.get("task", "")))
            case "point_begin":
                self.lines.now(f"{self._count(1)} {self._point(event)} ...")
            case "progress":
                self.lines.now(f"{event.get('text', '')} ({event.get('done')}/{event.get('total')})")
            case "point_end":
                self._end(event)
            case _:
                pass

    def close(self) -> None:
        """Leave the live line."""
        self.lines.close()

    def _begin(self, task: str) -> None:
        if task == "measure" and self.begun_s is None:
            self.begun_s = time.monotonic()
        self.lines.stay(f"{_TASKS.get(task, task)} ...")

    def _end(self, event: Mapping[str, Any]) -> None:
        outcome = str(event.get("outcome", ""))
        if outcome != "lost":
            self.num_ended += 1
        step_ns, stop = event.get("step_ns"), event.get("stop_reason")
        said = [f"{with_si(step_ns * 1e-9, 's')} per step"] if isinstance(step_ns, int | float) else []
        said += [str(text) for text in (stop, event.get("reason")) if text]
        details = f" ({'; '.join(said)})" if said else ""
        self.lines.stay(f"{self._count(0)} {self._point(event)}: {outcome}{details}{self._left()}")

    def _count(self, ahead: int) -> str:
        return f"[{min(self.num_ended + ahead, self.num_points)}/{self.num_points}]"

    def _point(self, event: Mapping[str, Any]) -> str:
        point_id = str(event.get("point_id", ""))
        return self.words.get(point_id, point_id)

    def _left(self) -> str:
        left = self.num_points - self.num_ended
        if self.begun_s is None or not self.num_ended or left <= 0:
            return ""
        seconds = (time.monotonic() - self.begun_s) / self.num_ended * left
        return f"; about {clock(seconds)} left"


def clock(seconds: float) -> str:
    """A duration as a person would say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.0f} days"
