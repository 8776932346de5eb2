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


def stderr_is_live() -> bool:
    """Whether lines on stderr can be replaced: a terminal that is not dumb."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
