"""Small drawings that fit in one line of a terminal: bars and sparklines.

They are made of Unicode blocks; where a stream has none, ``saih.commands.talk`` replaces each by one
character of ASCII.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

LEVELS = "▁▂▃▄▅▆▇█"
_EIGHTHS = " ▏▎▍▌▋▊▉"
_FULL, _EMPTY = "█", "░"


def bar(share: float, width: int) -> str:
    """A bar of ``width`` columns that is filled up to ``share``, 0 to 1, in eighths of a column.

    Anything above 0 shows at least one eighth.
    """
    if not math.isfinite(share) or share <= 0:
        return " " * width
    eighths = max(1, min(round(share * width * 8), width * 8))
    full, rest = divmod(eighths, 8)
    return (_FULL * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def gauge(share: float, width: int) -> str:
    """How much of something is done: whole columns, full only when all of it is."""
    filled = min(math.floor(max(share, 0.0) * width), width)
    return _FULL * filled + _EMPTY * (width - filled)


def sparkline(values: Sequence[float], width: int) -> str:
    """The values in their order, from the lowest to the highest level; many are the medians of equal runs.

    A value that is not finite shows as ``?``; values that are all the same are in the middle.
    """
    groups = _groups(values, width)
    known = [value for value in groups if math.isfinite(value)]
    if not known:
        return "?" * len(groups)
    low, high = min(known), max(known)
    return "".join(_level(value, low, high) for value in groups)


def _groups(values: Sequence[float], width: int) -> list[float]:
    count = len(values)
    if count <= width:
        return [float(value) for value in values]
    edges = [count * number // width for number in range(width + 1)]
    return [_middle(values[start:end]) for start, end in pairwise(edges)]


def _middle(values: Sequence[float]) -> float:
    return float(median(values)) if all(map(math.isfinite, values)) else math.nan


def _level(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return "?"
    if high == low:
        return LEVELS[len(LEVELS) // 2 - 1]
    return LEVELS[min(int((value - low) / (high - low) * len(LEVELS)), len(LEVELS) - 1)]
