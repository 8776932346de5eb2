"""Lines on stderr while something goes on: one that lives on a terminal, few full ones elsewhere."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, RLock, Thread
from typing import TextIO

import click

from saih.commands.talk import inert, say
from saih.reports.terminal_text import cut

HEARTBEAT_S = 60.0
"""Without a terminal, what goes on between two changes is told this often at most."""
_TICK_S = 1.0
"""On a terminal, how often the living line is written anew."""
_USUAL_WIDTH, _LEAST_WIDTH, _MOST_WIDTH = 80, 40, 400


@dataclass(slots=True, kw_only=True)
class Lines:
    """Writes them; ``is_live`` where a line can be replaced. Threads may share it."""

    is_live: bool
    told_s: float = 0.0
    lock: RLock = field(default_factory=RLock)

    def stay(self, text: str) -> None:
        """A line that stays."""
        with self.lock:
            self.close()
            self.told_s = time.monotonic()
            say(text)

    def now(self, text: str) -> None:
        """What is going on; the next one replaces it."""
        with self.lock:
            if self.is_live:
                width = shutil.get_terminal_size().columns - 1
                click.echo(f"\r\x1b[K{cut(inert(text), width)}", nl=False, err=True, color=True)
            elif time.monotonic() - self.told_s > HEARTBEAT_S:
                self.stay(text)

    def close(self) -> None:
        """Leave the live line, with nothing on it."""
        with self.lock:
            if self.is_live:
                click.echo("\r\x1b[K", nl=False, err=True, color=True)


@contextmanager
def beating(beat: Callable[[], None], *, is_live: bool) -> Iterator[None]:
    """Call ``beat`` from time to time beside what goes on, so that a long silence tells that it goes on."""
    is_over = Event()

    def run() -> None:
        while not is_over.wait(_TICK_S if is_live else HEARTBEAT_S):
            beat()

    thread = Thread(target=run, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def stdout_width() -> int:
    """Columns for what is printed on stdout: of COLUMNS or its terminal, and 80 where there is none."""
    asked = shutil.get_terminal_size(fallback=(_USUAL_WIDTH, 24)).columns
    if not os.environ.get("COLUMNS", "").isdecimal() and not _is_terminal(sys.stdout):
        asked = _USUAL_WIDTH
    return min(max(asked, _LEAST_WIDTH), _MOST_WIDTH)


def stderr_is_live() -> bool:
    """Whether lines on stderr can be replaced: a terminal that is not dumb."""
    return _is_terminal(sys.stderr) and os.environ.get("TERM", "dumb") != "dumb"


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether a terminal reads; None is a stream that was closed before the start."""
    return stream is not None and stream.isatty()
