"""Labels: texts that came from outside, made safe to show anywhere and short enough to fit."""

import re
import unicodedata

_ESCAPE_SEQUENCES = re.compile(
    "\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?"  # OSC: titles and links, ended by BEL or ST
    "|[\x1b][PX^_][^\x1b]*(?:\x1b\\\\)?"  # DCS, SOS, PM, APC
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours and cursor
    "|\x1b[ -/]*[0-~]"
)
_SPACES = "\t\n\r\v\f\x85\u2028\u2029"
_INVISIBLE_CATEGORIES = ("Cc", "Cf", "Cs", "Co", "Cn")
_KEPT_FORMATS = "\u200c\u200d"  # joiners: Persian and Indic words need them


def plain(text: str) -> str:
    """``text`` on one line, without terminal escapes, controls, direction overrides or lone surrogates."""
    without_escapes = _ESCAPE_SEQUENCES.sub("", text)
    characters = (" " if character in _SPACES else character for character in without_escapes)
    return "".join(_visible(character) for character in characters).strip()


def shortened(text: str, width: int) -> str:
    """``plain(text)`` of at most ``width`` characters; what is left out is shown by an ellipsis."""
    whole = plain(text)
    return whole if len(whole) <= width else whole[: max(width - 1, 0)].rstrip() + "…"


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if character in _KEPT_FORMATS or category not in _INVISIBLE_CATEGORIES:
        return character
    return "\N{REPLACEMENT CHARACTER}" if category in ("Cs", "Co", "Cn") else ""
