"""Text for a terminal, measured in its columns: wide characters take two, combining ones none."""

import unicodedata

from saih.domain.quantity import NO_BREAK
from saih.reports.label import plain

_WIDE = ("W", "F")
_NO_COLUMN = ("Mn", "Me", "Cf")
_ELLIPSIS = "…"


def visible(text: str) -> str:
    """``text`` on one line, of nothing but characters that a terminal shows; escape sequences are gone."""
    return "".join(character for character in plain(text) if character.isprintable() or character == NO_BREAK)


def columns_of(text: str) -> int:
    """Columns that ``text`` takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, width: int) -> str:
    """``visible(text)`` in at most ``width`` columns; what is left out is shown by an ellipsis."""
    whole = visible(text)
    if columns_of(whole) <= width:
        return whole
    kept, taken = [], 0
    for character in whole:
        taken += _columns(character)
        if taken > width - 1:
            break
        kept.append(character)
    return ("".join(kept).rstrip() + _ELLIPSIS) if width > 0 else ""


def padded(text: str, width: int, *, is_right: bool = False) -> str:
    """``text`` filled with spaces to ``width`` columns."""
    space = " " * (width - columns_of(text))
    return space + text if is_right else text + space


def wrapped(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """``visible(text)`` in lines of ``width`` columns at most, begun by ``first`` and then ``rest``."""
    lines, line, is_empty = [], first, True
    for word in visible(text).split(" "):
        for piece in _pieces(word, max(width - columns_of(rest), 8)):
            gap = "" if is_empty else " "
            if not is_empty and columns_of(line) + len(gap) + columns_of(piece) > width:
                lines.append(line)
                line, gap = rest, ""
            line, is_empty = line + gap + piece, False
    return [ready.replace(NO_BREAK, " ").rstrip() for ready in (*lines, line)]


def _pieces(word: str, width: int) -> list[str]:
    """A word that no line holds, such as a path, is broken where it must be."""
    if columns_of(word) <= width:
        return [word]
    pieces, piece, taken = [], "", 0
    for character in word:
        columns = _columns(character)
        if taken + columns > width:
            pieces.append(piece)
            piece, taken = "", 0
        piece, taken = piece + character, taken + columns
    return [*pieces, piece]


def _columns(character: str) -> int:
    if unicodedata.category(character) in _NO_COLUMN:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
