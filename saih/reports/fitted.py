"""Text cut to the room that it has on paper, by the widths of its letters."""

from functools import lru_cache
from pathlib import Path

from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font

from saih.reports.label import plain

_FONT_FILE = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
_MM_PER_POINT = 25.4 / 72
_UNITS = 1000.0
"""Points at which widths are measured, to be scaled to any size."""
_MOST_CHARACTERS = 200


def fitted(text: str, room_mm: float, size: float) -> str:
    """``plain(text)`` in type of ``size`` points, no wider than ``room_mm``; an ellipsis shows a cut."""
    whole = plain(text)[:_MOST_CHARACTERS]
    if width_mm(whole, size) <= room_mm:
        return whole
    kept = len(whole)
    while kept and width_mm(f"{whole[:kept].rstrip()}…", size) > room_mm:
        kept -= 1
    return f"{whole[:kept].rstrip()}…"


def width_mm(text: str, size: float) -> float:
    """Width of a line of ``size`` points; a letter without a glyph counts as wide as the type is high."""
    return sum(_advance(character) for character in text) * size / _UNITS * _MM_PER_POINT


@lru_cache(maxsize=4096)
def _advance(character: str) -> float:
    """How far the next letter stands, at ``_UNITS`` points; kerning is left out."""
    font = _font()
    if not font.get_char_index(ord(character)):
        return _UNITS
    return float(font.load_char(ord(character)).linearHoriAdvance) / 65536


@lru_cache(maxsize=1)
def _font() -> FT2Font:
    font = FT2Font(str(_FONT_FILE))
    font.set_size(_UNITS, 72)
    return font
