"""As which one point ran, and how the settings of it were found, as titled lines."""

import json
from collections.abc import Mapping
from typing import Any

from saih.domain.quantity import counted
from saih.domain.trend import PointSummary
from saih.domain.tuning import EXECUTION_NOTE, SEARCH_NOTE
from saih.reports.efficiency_words import Line
from saih.reports.execution_words import execution_words
from saih.reports.label import shortened

NOTES = (EXECUTION_NOTE, SEARCH_NOTE)
"""Notes that these lines tell in words."""
_WORDS = 60


def execution_lines(summary: PointSummary, notes: Mapping[str, str]) -> list[Line]:
    """The settings, and what a search tried before; nothing for a point that was executed plainly."""
    if summary.point.execution.is_plain:
        return []
    return [("settings", execution_words(summary)), *_search(notes.get(SEARCH_NOTE, ""))]


def _search(note: str) -> list[Line]:
    """What was tried, by its verdict; nothing where the note is none of a search."""
    try:
        told = json.loads(note)
        verdicts = [(str(one["verdict"]), _tried(one)) for one in told["candidates"]]
        how = f"{counted(len(verdicts), 'trial')} in {float(told['duration_s']):.3g} s"
        how += ", for an earlier point" if told["is_reused"] else ""
    except (ValueError, TypeError, KeyError):
        return []
    said = [("searched by", how)]
    for verdict in dict.fromkeys(one for one, _ in verdicts):
        tried = ", ".join(words for own, words in verdicts if own == verdict)
        said.append((shortened(verdict, _WORDS), tried))
    return said


def _tried(candidate: Mapping[str, Any]) -> str:  # Any: JSON values
    """Such as ``optimizer fused (1.02x)``, with the reason where it was not timed."""
    words = shortened(f"{candidate['setting']} {candidate['value']}".replace("_", " "), _WORDS)
    gain, reason = candidate["gain"], str(candidate["reason"])
    if gain is not None:
        return f"{words} ({float(gain[1]):.3g}x)"
    return f"{words} ({shortened(reason, _WORDS)})" if reason else words
