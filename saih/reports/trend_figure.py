"""Trend curves: share of peak, rate or step time over the size of one axis; one line a rung of the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from saih.domain.interval import Interval
from saih.domain.quantity import with_si, with_si_short
from saih.domain.trend import CurvePoint
from saih.reports.figure import (
    COLOURS,
    QUIET,
    colour_of,
    drawn,
    log_axis,
    marked,
    marker_of,
    marker_size_of,
    note,
    spread,
)
from saih.reports.fitted import fitted
from saih.reports.label import shortened

_WIDTH_MM = 176.0
_HEIGHT_MM, _STEP_HEIGHT_MM = 92.0, 64.0
_LEFT, _FRAME_WIDTH = 0.1, 0.65
_TOP_MM, _BOTTOM_MM = 7.0, 11.0
_ROOM_FOR_WORD = 16.0
"""Width [mm] of the word for what is extrapolated."""
ORDINATE_NAMES = {
    "share": "share of measured peak",
    "rate": "rate over all ranks [FLOP/s]",
    "step": "median step",
}


Ordinate = Literal["share", "rate", "step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a trend figure in the unit of its ordinate."""

    label: str
    sizes: tuple[float, ...]
    values: tuple[Interval, ...]
    curve: tuple[CurvePoint, ...]
    turns: tuple[int, ...] = ()
    """Numbers of the values after which the verdict changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """A ceiling of the rate [FLOP/s]; the maker's is a bare number."""

    name: str
    rate: Interval | float

    @property
    def height(self) -> float:
        """Its value [FLOP/s]."""
        return self.rate.value if isinstance(self.rate, Interval) else self.rate


def trend_figure(
    lines: Sequence[Line], size_label: str, ordinate: Ordinate, *, head: str = "", roofs: Sequence[Roof] = ()
) -> str:
    """SVG of lines named at their ends; ``head`` stands above them, such as what 100 % is."""
    height_mm = _STEP_HEIGHT_MM if ordinate == "step" else _HEIGHT_MM

    def paint(figure: Figure) -> None:
        frame = (_LEFT, _BOTTOM_MM / height_mm, _FRAME_WIDTH, 1 - (_TOP_MM + _BOTTOM_MM) / height_mm)
        axes = figure.add_axes(frame)
        axes.set_xlabel(shortened(size_label, 90))
        axes.set_title(shortened(head, 130), loc="left", fontsize=7, color=QUIET, pad=5)
        scale_ordinate(axes, lines, ordinate, roofs)
        paint_roofs(axes, roofs)
        axes.set_ylabel(ORDINATE_NAMES[ordinate])
        axes.yaxis.set_label_coords(-(_LEFT - 0.024) / _FRAME_WIDTH, 0.5)
        if not lines:
            note(axes, "nothing to show: no point with a value")
            axes.set_xticks([])
            axes.set_yticks([])
            return
        paint_lines(axes, lines, range(len(lines)))
        _name_roofs(axes, roofs)
        name_lines(axes, lines)

    return drawn(_WIDTH_MM, height_mm, paint)


def scale_ordinate(axes: Axes, lines: Sequence[Line], ordinate: Ordinate, roofs: Sequence[Roof] = ()) -> None:
    """Scale and ticks of the ordinate, around all of ``lines`` and ``roofs``."""
    measured = [value for line in lines for value in line.values]
    expected = [point.interval.value for line in lines for point in line.curve]
    if ordinate == "share":
        highest = max((value.high for value in measured), default=1.0)
        # No share can pass 100 %, so a curve that does must not squeeze what was measured.
        axes.set_ylim(0, 1.15 * max(highest, min(max(expected, default=0.0), 110.0), 1e-6))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
        axes.axhline(100.0, color=QUIET, linestyle="-", linewidth=0.9, zorder=1)
        return
    values = [value.value for value in measured] + expected + [roof.height for roof in roofs]
    if values:
        log_axis(axes, "y", values)
    unit = "s" if ordinate == "step" else ""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: with_si_short(value, unit)))


def paint_lines(
    axes: Axes, lines: Sequence[Line], series: Sequence[int], sizes: Sequence[float] = ()
) -> None:
    """Lines in the colours of ``series``, over an abscissa around them and ``sizes``."""
    measured = [size for line in lines for size in line.sizes]
    reached = [point.size for line in lines for point in line.curve]
    log_axis(axes, "x", [*measured, *reached, *sizes])
    shade_extrapolation(axes, max(measured), max(reached, default=0.0))
    for line, index in zip(lines, series, strict=True):
        draw_line(axes, line, index)


def paint_roofs(axes: Axes, roofs: Sequence[Roof]) -> None:
    """Flat lines: solid with its interval where measured, dotted where only the maker says so."""
    for roof in roofs:
        style = "-" if isinstance(roof.rate, Interval) else ":"
        axes.axhline(roof.height, color="#333333", linewidth=1.1, linestyle=style, zorder=1)
        if isinstance(roof.rate, Interval):
            low, high = roof.rate.low, roof.rate.high
            axes.axhspan(low, high, color="#333333", alpha=0.15, linewidth=0, zorder=1)


def _name_roofs(axes: Axes, roofs: Sequence[Roof]) -> None:
    """Each name above its line, or below it where two lines are close."""
    ordered = sorted(roofs, key=lambda roof: roof.height)
    for number, roof in enumerate(ordered):
        side = "top" if number == 0 and len(ordered) > 1 else "bottom"
        axes.annotate(
            f"{roof.name} {with_si(roof.height, 'FLOP/s')}", (0.008, roof.height), fontsize=6.5,
            xycoords=("axes fraction", "data"), xytext=(0, -1.5 if side == "top" else 1.5),
            textcoords="offset points", va=side, color="#333333",
        )  # fmt: skip


def draw_line(axes: Axes, line: Line, index: int) -> None:
    """Marks with their intervals, and the curve with its band; dotted where there is no curve."""
    colour = colour_of(index)
    values = [value.value for value in line.values]
    marked(axes, line.sizes, line.values, index)
    _mark_turns(axes, line, colour)
    if not line.curve:
        axes.plot(line.sizes, values, color=colour, linewidth=0.7, linestyle=":", zorder=3)
        return
    xs = [point.size for point in line.curve]
    lows, highs = ([getattr(point.interval, bound) for point in line.curve] for bound in ("low", "high"))
    axes.fill_between(xs, lows, highs, color=colour, alpha=0.13, linewidth=0, zorder=2)
    for part in _parts(line.curve):
        style = "--" if part[-1].is_extrapolated else "-"
        ys = [point.interval.value for point in part]
        axes.plot([point.size for point in part], ys, color=colour, linestyle=style, zorder=3)


def _mark_turns(axes: Axes, line: Line, colour: str) -> None:
    """A ring half-way between two values with different verdicts."""
    for at in line.turns:
        size = math.sqrt(line.sizes[at] * line.sizes[at + 1])
        axes.plot(
            [size], [_height_at(axes, line, at, size)], "o", markersize=5.2, markerfacecolor="white",
            markeredgecolor=colour, markeredgewidth=1.1, zorder=6,
        )  # fmt: skip


def _height_at(axes: Axes, line: Line, at: int, size: float) -> float:
    """Of the curve at ``size``, or half-way between two values where there is no curve."""
    if line.curve:
        nearest = min(line.curve, key=lambda point: abs(math.log(point.size / size)))
        return nearest.interval.value
    low, high = (end.value for end in line.values[at : at + 2])
    return math.sqrt(low * high) if axes.get_yscale() == "log" else (low + high) / 2


def _parts(curve: Sequence[CurvePoint]) -> list[list[CurvePoint]]:
    """Runs of fitted and of extrapolated points, each begun where the one before it ended."""
    runs = [list(run) for _, run in groupby(curve, key=lambda point: point.is_extrapolated)]
    return [([runs[number - 1][-1], *run] if number else run) for number, run in enumerate(runs)]


def _room_beside_mm(axes: Axes) -> float:
    """From the right end of the axes to the edge of the paper."""
    position = axes.get_position()
    return axes_width_mm(axes) * (1 - position.x1) / position.width


def axes_width_mm(axes: Axes) -> float:
    """Width of the axes on paper [mm]."""
    figure = axes.get_figure(root=True)
    return 25.4 * figure.get_figwidth() * axes.get_position().width if figure is not None else 0.0


def shade_extrapolation(axes: Axes, measured: float, reached: float) -> None:
    """Grey beyond the largest measured size, where a curve reaches there."""
    if reached <= measured * 1.0001:
        return
    end = axes.get_xlim()[1]
    axes.axvspan(measured, end, color="#f0f0f0", zorder=0, linewidth=0)
    if math.log(end / measured) / math.log(end / axes.get_xlim()[0]) < _ROOM_FOR_WORD / axes_width_mm(axes):
        return
    axes.text(
        (measured * end) ** 0.5, 0.985, "extrapolated", transform=axes.get_xaxis_transform(), ha="center",
        va="top", fontsize=6.5, color=QUIET,
    )  # fmt: skip


def name_lines(axes: Axes, lines: Sequence[Line], reach: float = 1.0) -> None:
    """Write each line's name beside its end, apart from its neighbours and no wider than its room.

    ``reach`` stretches the way there: narrow axes need more of their width for it.
    """
    ends = [
        (line.curve[-1].size, line.curve[-1].interval.value) if line.curve else
        (line.sizes[-1], line.values[-1].value)
        for line in lines
    ]  # fmt: skip
    to_axes = axes.transData + axes.transAxes.inverted()
    places = [(float(x), min(max(float(y), 0.0), 1.0)) for x, y in map(to_axes.transform, ends)]
    heights = spread([y for _, y in places], 0.052, 0.02, 0.98)
    room_mm = _room_beside_mm(axes) - (0.062 * reach) * axes_width_mm(axes)
    for index, (line, place, height) in enumerate(zip(lines, places, heights, strict=True)):
        axes.plot(
            [place[0], 1 + 0.035 * reach], [place[1], height], transform=axes.transAxes, clip_on=False,
            color=colour_of(index), linewidth=0.5, alpha=0.7,
        )  # fmt: skip
        axes.plot(
            [1 + 0.048 * reach], [height], transform=axes.transAxes, clip_on=False, color=colour_of(index),
            marker=marker_of(index), markersize=marker_size_of(index), linestyle="none",
        )  # fmt: skip
        axes.text(
            1 + 0.062 * reach, height, fitted(line.label, room_mm, 6.8), transform=axes.transAxes,
            va="center", fontsize=6.8, color=COLOURS[-1],
        )  # fmt: skip
