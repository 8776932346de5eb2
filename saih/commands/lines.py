"""Lines on stderr while something goes on: one that lives on a terminal, few full ones elsewhere."""

import os
import shutil
import sys
import time
from dataclasses import dataclass

import click

from saih.commands.talk import inert, say

_HEARTBEAT_S = 60.0
"""Without a terminal, what goes on between two changes is told this often at most."""
_USUAL_WIDTH, _LEAST_WIDTH, _MOST_WIDTH = 80, 40, 400


@dataclass(slots=True, kw_only=True)
class Lines:
    """Writes them; ``is_live`` where a line can be replaced."""

    is_live: bool
    told_s: float = 0.0

    def stay(self, text: str) -> None:
        """A line that stays."""
        self.close()
        self.told_s = time.monotonic()
        say(text)

    def now(self, text: str) -> None:
        """What is going on; the next one replaces it."""
        if self.is_live:
            width = shutil.get_terminal_size().columns - 1
            click.echo(f"\r\x1b[K{inert(text)[:width]}", nl=False, err=True, color=True)
        elif time.monotonic() - self.told_s > _HEARTBEAT_S:
            self.stay(text)

    def close(self) -> None:
        """Leave the live line."""
        if self.is_live:
            click.echo("\r\x1b[K", nl=False, err=True, color=True)


def stdout_width() -> int:
    """Columns for what is printed on stdout: of COLUMNS or its terminal, and 80 where there is none."""
    asked = shutil.get_terminal_size(fallback=(_USUAL_WIDTH, 24)).columns
    if not os.environ.get("COLUMNS", "").isdecimal() and not sys.stdout.isatty():
        asked = _USUAL_WIDTH
    return min(max(asked, _LEAST_WIDTH), _MOST_WIDTH)


def stderr_is_live() -> bool:
    """Whether lines on stderr can be replaced: a terminal that is not dumb."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
