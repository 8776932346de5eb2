"""Trend curves: share of peak, or step time, over the size of one axis; one line a rung of the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from saih.domain.interval import Interval
from saih.domain.quantity import with_si_short
from saih.domain.trend import CurvePoint, Trend
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
from saih.reports.label import shortened

_WIDTH_MM = 176.0
_SHARE_HEIGHT_MM, _STEP_HEIGHT_MM = 92.0, 64.0
_LEFT, _FRAME_WIDTH = 0.1, 0.65
_TOP_MM, _BOTTOM_MM = 7.0, 11.0
_LABEL_WIDTH = 27


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a trend figure in the unit of its ordinate."""

    label: str
    sizes: tuple[float, ...]
    values: tuple[Interval, ...]
    curve: tuple[CurvePoint, ...]


def share_lines(trends: Sequence[Trend], labels: Sequence[str]) -> tuple[Line, ...]:
    """Lines of the share of peak [%]; points without ceilings are left out."""
    lines = []
    for trend, label in zip(trends, labels, strict=True):
        known = [
            (size, share.scaled(100.0))
            for size, share in zip(trend.sizes, trend.share_of_peak, strict=True)
            if share is not None
        ]
        if known:
            sizes, values = zip(*known, strict=True)
            curve = _scaled(trend.share_curve, 100.0)
            lines.append(Line(label=label, sizes=sizes, values=values, curve=curve))
    return tuple(lines)


def step_lines(trends: Sequence[Trend], labels: Sequence[str]) -> tuple[Line, ...]:
    """Lines of the step time [s]."""
    return tuple(
        Line(
            label=label,
            sizes=trend.sizes,
            values=tuple(step.scaled(1e-9) for step in trend.step_ns),
            curve=_scaled(trend.step_curve, 1e-9),
        )
        for trend, label in zip(trends, labels, strict=True)
    )


def share_figure(lines: Sequence[Line], size_label: str, ceiling: str) -> str:
    """SVG of shares of peak; ``ceiling`` says what 100 % is."""

    def paint(axes: Axes) -> None:
        axes.set_ylabel("share of measured peak [%]")
        axes.set_title(ceiling, loc="left", fontsize=7, color=QUIET, pad=5)
        highest = max((value.high for line in lines for value in line.values), default=1.0)
        expected = max((point.interval.value for line in lines for point in line.curve), default=0.0)
        # No share can pass 100 %, so a curve that does must not squeeze what was measured.
        axes.set_ylim(0, 1.15 * max(highest, min(expected, 110.0), 1e-6))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))

    return _figure(lines, size_label, _SHARE_HEIGHT_MM, paint)


def step_figure(lines: Sequence[Line], size_label: str) -> str:
    """SVG of step times, both axes logarithmic."""

    def paint(axes: Axes) -> None:
        values = [value.value for line in lines for value in line.values]
        values += [point.interval.value for line in lines for point in line.curve]
        if values:
            log_axis(axes, "y", values)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: with_si_short(value, "s")))
        axes.set_ylabel("median step")

    return _figure(lines, size_label, _STEP_HEIGHT_MM, paint)


def _figure(
    lines: Sequence[Line], size_label: str, height_mm: float, paint_ordinate: Callable[[Axes], None]
) -> str:
    def paint(figure: Figure) -> None:
        frame = (_LEFT, _BOTTOM_MM / height_mm, _FRAME_WIDTH, 1 - (_TOP_MM + _BOTTOM_MM) / height_mm)
        axes = figure.add_axes(frame)
        axes.set_xlabel(shortened(size_label, 90))
        paint_ordinate(axes)
        axes.yaxis.set_label_coords(-(_LEFT - 0.024) / _FRAME_WIDTH, 0.5)
        if not lines:
            note(axes, "nothing to show: no point with a value")
            axes.set_xticks([])
            axes.set_yticks([])
            return
        sizes = [size for line in lines for size in line.sizes]
        reached = [point.size for line in lines for point in line.curve]
        log_axis(axes, "x", sizes + reached)
        shade_extrapolation(axes, max(sizes), max(reached, default=0.0))
        for index, line in enumerate(lines):
            draw_line(axes, line, index)
        name_lines(axes, lines)

    return drawn(_WIDTH_MM, height_mm, paint)


def _scaled(curve: Sequence[CurvePoint], factor: float) -> tuple[CurvePoint, ...]:
    return tuple(
        CurvePoint(
            size=point.size, interval=point.interval.scaled(factor), is_extrapolated=point.is_extrapolated
        )
        for point in curve
    )


def draw_line(axes: Axes, line: Line, index: int) -> None:
    """Marks with their intervals, and the curve with its band; dotted where there is no curve."""
    colour = colour_of(index)
    values = [value.value for value in line.values]
    marked(axes, line.sizes, line.values, index)
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


def _parts(curve: Sequence[CurvePoint]) -> list[list[CurvePoint]]:
    """Runs of fitted and of extrapolated points, each begun where the one before it ended."""
    runs = [list(run) for _, run in groupby(curve, key=lambda point: point.is_extrapolated)]
    return [([runs[number - 1][-1], *run] if number else run) for number, run in enumerate(runs)]


def shade_extrapolation(axes: Axes, measured: float, reached: float) -> None:
    """Grey beyond the largest measured size, where a curve reaches there."""
    if reached <= measured * 1.0001:
        return
    end = axes.get_xlim()[1]
    axes.axvspan(measured, end, color="#f0f0f0", zorder=0, linewidth=0)
    axes.text(
        (measured * end) ** 0.5, 0.985, "extrapolated", transform=axes.get_xaxis_transform(), ha="center",
        va="top", fontsize=6.5, color=QUIET,
    )  # fmt: skip


def name_lines(axes: Axes, lines: Sequence[Line], width: int = _LABEL_WIDTH, reach: float = 1.0) -> None:
    """Write each line's name of at most ``width`` characters beside its end, apart from its neighbours.

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
            1 + 0.062 * reach, height, shortened(line.label, width), transform=axes.transAxes, va="center",
            fontsize=6.8, color=COLOURS[-1],
        )  # fmt: skip
