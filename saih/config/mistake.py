"""A mistake in a sweep file: where it is, what was found, what is expected, what to do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from saih.domain.errors import UsageError

MAX_SHOWN = 30
_MAX_FOUND_CHARACTERS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake; ``str()`` is the line that the user reads."""

    place: str
    """``file:line:column`` or ``--set key``."""
    key: str
    """Dotted path of the key; empty for the whole file."""
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.place}: {key}found {self.found}, expected {self.expected}; {self.remedy}"


class SweepFileError(UsageError):
    """Everything that is wrong with one sweep or site, in the order of the file."""

    def __init__(self, source: str, mistakes: Sequence[Mistake], command: str = "saih init") -> None:
        mistakes = sorted(mistakes, key=_position)
        lines = [f"  {mistake}" for mistake in mistakes[:MAX_SHOWN]]
        if len(mistakes) > MAX_SHOWN:
            lines.append(f"  and {len(mistakes) - MAX_SHOWN} more")
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(
            "\n".join([f"{source} has {count}:", *lines]),
            f"correct these; `{command}` writes a file that explains every key. Nothing was started.",
        )
        self.mistakes = tuple(mistakes)


def _position(mistake: Mistake) -> tuple[bool, list[int]]:
    """Line and column; overrides come last."""
    numbers = [int(number) for number in re.findall(r":([0-9]+)", mistake.place)[-2:]]
    return mistake.place.startswith("--set"), numbers


def shown(text: str) -> str:
    """``text`` in quotes, on one line, inert in a terminal, and cut where it is long."""
    if len(text) > _MAX_FOUND_CHARACTERS:
        return f"{text[:_MAX_FOUND_CHARACTERS]!r}... ({len(text)} characters)"
    return repr(text)


def nearest(word: str, valid: Sequence[str]) -> str:
    """Advice for an unknown word: the nearest valid spelling if there is one, and the list."""
    if not valid:
        return "remove it"
    close = get_close_matches(word[:_MAX_FOUND_CHARACTERS], valid, n=1, cutoff=0.5)
    listed = f"valid are {', '.join(valid)}"
    return f"did you mean {close[0]}? ({listed})" if close else listed
