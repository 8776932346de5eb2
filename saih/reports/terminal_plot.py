"""A plot in characters: values with their intervals over sizes that grow by factors."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from saih.domain.interval import Interval
from saih.reports.terminal_text import columns_of, cut, padded

MARKS = "abcdefghijklmnopqrstuvwxyz"
SEVERAL = "*"
_BAR, _LEFT, _TICK, _BOTTOM, _NOTCH = "│", "│", "┤", "─", "┴"
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_MAX_TICKS = 5
_HEADROOM = 1.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of one line: its mark stands at each value, its bars reach over the intervals."""

    mark: str
    sizes: tuple[float, ...]
    values: tuple[Interval, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How large the plot is, in columns and rows, and how its axes are written."""

    width: int
    height: int
    size_words: Callable[[float], str]
    value_words: Callable[[float], str]


def plot_lines(series: Sequence[Series], frame: Frame) -> list[str]:
    """The plot over the logarithm of the size, from 0 on; nothing for no values.

    A ``*`` stands where marks of several lines meet.
    """
    sizes = sorted({size for one in series for size in one.sizes if size > 0})
    highs = [value.high for one in series for value in one.values]
    if not sizes or max(highs, default=0.0) <= 0:
        return []
    top = max(highs) * _HEADROOM
    ticks = _ticks(top, min(_MAX_TICKS, max(frame.height // 3, 2)))
    names = [frame.value_words(tick) for tick in ticks]
    margin = max(map(columns_of, names))
    room = max(frame.width - margin - 2, 10)
    canvas = _canvas(series, frame.height, _places(sizes, room), (room, top))
    at_row = {_row(tick, top, frame.height): name for tick, name in zip(ticks, names, strict=True)}
    lines = [
        f"{padded(at_row.get(row, ''), margin, is_right=True)} {_TICK if row in at_row else _LEFT}"
        f"{''.join(canvas[row])}".rstrip()
        for row in range(frame.height)
    ]
    return [*lines, *_axis(sizes, frame, room, margin)]


def _places(sizes: Sequence[float], room: int) -> dict[float, int]:
    """The column of each size, with a little room at both ends."""
    low, high = math.log(sizes[0]), math.log(sizes[-1])
    inner = room - 5
    span = high - low
    return {
        size: 2 + (round((math.log(size) - low) / span * inner) if span else inner // 2) for size in sizes
    }


def _row(value: float, top: float, height: int) -> int:
    """Row 0 is the top."""
    return min(max(round((1 - value / top) * (height - 1)), 0), height - 1)


def _canvas(
    series: Sequence[Series], height: int, places: dict[float, int], extent: tuple[int, float]
) -> list[list[str]]:
    """Bars first, marks on top of them."""
    room, top = extent
    canvas = [[" "] * room for _ in range(height)]
    known = [
        (one.mark, places[size], value)
        for one in series
        for size, value in zip(one.sizes, one.values, strict=True)
        if size in places
    ]
    for _, column, value in known:
        for row in range(_row(value.high, top, height), _row(value.low, top, height) + 1):
            canvas[row][column] = _BAR
    for mark, column, value in known:
        row = _row(value.value, top, height)
        is_free = canvas[row][column] in (" ", _BAR, mark)
        canvas[row][column] = mark if is_free else SEVERAL
    return canvas


def _axis(sizes: Sequence[float], frame: Frame, room: int, margin: int) -> list[str]:
    """The rule with a notch below each size, and as many of their names as have room."""
    places = _places(sizes, room)
    rule = [_NOTCH if column in places.values() else _BOTTOM for column in range(room)]
    names = [" "] * room
    for size in (sizes[0], sizes[-1], *sizes[1:-1]):
        _write(names, frame.size_words(size), places[size])
    indent = " " * margin
    return [f"{indent} └{''.join(rule)}", f"{indent}  {''.join(names)}".rstrip()]


def _write(line: list[str], name: str, column: int) -> None:
    """Write a name around its column, unless it would touch another one."""
    text = cut(name, len(line))
    start = min(max(column - len(text) // 2, 0), len(line) - len(text))
    around = line[max(start - 1, 0) : start + len(text) + 1]
    if all(character == " " for character in around):
        line[start : start + len(text)] = text


def _ticks(top: float, count: int) -> list[float]:
    """0 and round numbers up to the top."""
    rough = top / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(nice * power for nice in _NICE if nice * power >= rough * (1 - 1e-12))
    return [step * number for number in range(math.floor(top / step + 1e-9) + 1)]
