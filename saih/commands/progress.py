"""What a campaign is doing: one live line on a terminal, one full line per change elsewhere."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from saih.commands.lines import Lines, beating
from saih.domain.quantity import with_si
from saih.reports.terminal_bars import gauge

_TASKS = {
    "generate": "making data sets",
    "ceilings": "measuring what the machine can do at best",
    "check_ceilings": "comparing the machine with its ceilings",
    "measure": "measuring",
    "verify": "putting verdicts to the test",
    "validate": "studying whether problems can be learnt",
    "search": "searching for the models that learn best",
    "tune": "searching for the fastest executions",
}
_BEGUN = {"verify_begin": "verifying", "study_begin": "studying", "tune_begin": "tuning"}
_COUNTED_ENDS = ("study_end", "tune_end")
_GAUGE = 12


@dataclass(slots=True, kw_only=True)
class Progress:
    """Hears the events of a campaign and tells them on stderr."""

    words: Mapping[str, str]
    """Each point in words, by its id."""
    num_points: int
    """How many points this campaign has to measure."""
    is_live: bool
    predicted_s: Mapping[str, float] = field(default_factory=dict)
    """How long each of them was predicted to take [s]; their proportions count. Empty for all alike."""
    ended: set[str] = field(default_factory=set)
    begun_s: float | None = None
    """When measuring began."""
    ended_s: float = 0.0
    """When the last point ended."""
    since_s: float = 0.0
    """When what goes on now began."""
    current: str = ""
    """What goes on now; empty for nothing."""
    lines: Lines = field(init=False)

    def __post_init__(self) -> None:
        self.lines = Lines(is_live=self.is_live)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """While this lasts, tell now and then that something still goes on; leaves the terminal clean."""
        try:
            with beating(self.beat, is_live=self.is_live):
                yield
        finally:
            self.close()

    def hear(self, event: Mapping[str, Any]) -> None:
        """Tell one event; unknown ones are passed over."""
        with self.lines.lock:
            match event.get("event"):
                case "message":
                    self.lines.stay(str(event.get("text", "")))
                case "job_begin":
                    self._begin(str(event.get("task", "")))
                case "point_begin":
                    self._go_on(f"{self._count(1)} {self._point(event)}")
                case "progress":
                    self._go_on(f"{event.get('text', '')} ({event.get('done')}/{event.get('total')})")
                case "verify_begin" | "study_begin" | "tune_begin" as begun:
                    self._go_on(f"{_BEGUN[begun]} {self._point(event)}")
                case "verify_end" | "study_end" | "tune_end":
                    self._end_test(event)
                case "point_end":
                    self._end(event)
                case _:
                    pass

    def beat(self) -> None:
        """Tell what goes on, for how long by now, and how long the rest may take."""
        with self.lines.lock:
            if self.current:
                since = clock(time.monotonic() - self.since_s)
                self.lines.now(f"{self._gauge()}{self.current}, for {since}{self._left()}")

    def close(self) -> None:
        """Leave the live line."""
        with self.lines.lock:
            self.current = ""
            self.lines.close()

    def _begin(self, task: str) -> None:
        if task == "measure" and self.begun_s is None:
            self.begun_s = time.monotonic()
        self.lines.stay(f"{_TASKS.get(task, task)} ...")
        self.current, self.since_s = _TASKS.get(task, task), time.monotonic()

    def _go_on(self, current: str) -> None:
        self.current, self.since_s = current, time.monotonic()
        self.lines.now(f"{self._gauge()}{current} ...{self._left()}")

    def _end(self, event: Mapping[str, Any]) -> None:
        outcome = str(event.get("outcome", ""))
        if outcome != "lost":
            self.ended.add(str(event.get("point_id", "")))
            self.ended_s = time.monotonic()
        step_ns, stop = event.get("step_ns"), event.get("stop_reason")
        said = [f"{with_si(step_ns * 1e-9, 's')} per step"] if isinstance(step_ns, int | float) else []
        said += [str(text) for text in (stop, event.get("reason")) if text]
        details = f" ({'; '.join(said)})" if said else ""
        self.current = ""
        self.lines.stay(f"{self._count(0)} {self._point(event)}: {outcome}{details}{self._left()}")

    def _end_test(self, event: Mapping[str, Any]) -> None:
        reason = f": {event['reason']}" if event.get("reason") else ""
        self.current = ""
        said = f"{self._point(event)}: {event.get('outcome', '')}{reason}"
        if event.get("event") in _COUNTED_ENDS:
            self.ended.add(str(event.get("point_id", "")))
            self.lines.stay(f"{self._count(0)} {said}")
        else:
            self.lines.stay(f"windows of {said}")

    def _gauge(self) -> str:
        """How many points are done, where a line can be replaced."""
        if not self.is_live or self.begun_s is None or not self.num_points:
            return ""
        return f"{gauge(len(self.ended) / self.num_points, _GAUGE)} "

    def _count(self, ahead: int) -> str:
        return f"[{min(len(self.ended) + ahead, self.num_points)}/{self.num_points}]"

    def _point(self, event: Mapping[str, Any]) -> str:
        point_id = str(event.get("point_id", ""))
        return self.words.get(point_id, point_id)

    def _left(self) -> str:
        """How long the other points may take, at the pace of those that ended."""
        num_left = self.num_points - len(self.ended)
        if self.begun_s is None or not self.ended or num_left <= 0:
            return ""
        known = self.predicted_s
        done = sum(known.get(point_id, 0.0) for point_id in self.ended) or float(len(self.ended))
        left = sum(value for point_id, value in known.items() if point_id not in self.ended)
        whole_s = (self.ended_s - self.begun_s) / done * (left or float(num_left))
        return f"; about {clock(max(whole_s - (time.monotonic() - self.ended_s), 0.0))} left"


def clock(seconds: float) -> str:
    """A duration as a person would say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.0f} days"
