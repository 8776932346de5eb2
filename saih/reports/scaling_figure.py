"""What more ranks bring: speed-up or throughput with its ideal, and efficiency, over the number of ranks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from saih.domain.quantity import tick
from saih.domain.trend import CurvePoint, ScalingLine, Trend
from saih.reports.figure import QUIET, colour_of, drawn, log_axis
from saih.reports.trend_figure import Line, draw_line, name_lines, shade_extrapolation

LINES_PER_FIGURE = 12
_WIDTH_MM, _HEIGHT_MM = 176.0, 76.0
_TOP_MM, _BOTTOM_MM = 7.0, 11.0
_LEFT, _RIGHT, _PANEL_WIDTH = 0.085, 0.475, 0.29
_FULL_WIDTH = 0.65
"""Of a figure with one panel, for which the way to the names is meant."""
_TICK_GAP = 0.085
"""Least distance of two ticks, as a share of the axis: the width of four digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedLine:
    """A scaling line with the name that tells it apart, and the trend fitted to it, if any."""

    name: str
    line: ScalingLine
    trend: Trend | None


def scaling_figure(lines: Sequence[NamedLine]) -> str:
    """SVG of lines of one kind: left speed-up (strong) or throughput, right efficiency."""

    def paint(figure: Figure) -> None:
        bottom, height = _BOTTOM_MM / _HEIGHT_MM, 1 - (_TOP_MM + _BOTTOM_MM) / _HEIGHT_MM
        gains = figure.add_axes((_LEFT, bottom, _PANEL_WIDTH, height))
        efficiencies = figure.add_axes((_RIGHT, bottom, _PANEL_WIDTH, height))
        _gains(gains, lines)
        _efficiencies(efficiencies, lines)

    return drawn(_WIDTH_MM, _HEIGHT_MM, paint)


def rank_axis(axes: Axes, ranks: Sequence[float], reached: float) -> None:
    """A logarithmic axis with ticks at whole numbers of ranks that were measured, as many as have room."""
    highest = max([reached, *ranks])
    log_axis(axes, "x", [min(ranks), highest] if highest > min(ranks) else [min(ranks) / 2, highest * 2])
    low, high = (math.log(bound) for bound in axes.get_xlim())
    shown: list[float] = []
    for value in sorted(set(ranks), reverse=True):
        if not shown or (math.log(shown[-1]) - math.log(value)) / (high - low) >= _TICK_GAP:
            shown.append(value)
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("ranks")


def _gains(axes: Axes, lines: Sequence[NamedLine]) -> None:
    is_strong = lines[0].line.scaling == "strong"
    found = [_gain(line, is_strong=is_strong) for line in lines]
    ranks = [size for line in found for size in line.sizes]
    reached = max((point.size for line in found for point in line.curve), default=0.0)
    values = [value.value for line in found for value in line.values]
    values += [point.interval.value for line in found for point in line.curve]
    ideals = [_ideal(line, max(ranks)) for line in found]
    rank_axis(axes, ranks, reached)
    log_axis(axes, "y", values + [bound for _, heights in ideals for bound in heights])
    axes.set_ylabel("speed-up" if is_strong else "throughput [samples/s]")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    shade_extrapolation(axes, max(ranks), reached)
    for index, (xs, ys) in enumerate(dict.fromkeys(ideals) if is_strong else ideals):
        colour = QUIET if is_strong else colour_of(index)
        axes.plot(xs, ys, color=colour, linestyle=(0, (1, 1.5)), linewidth=0.9, zorder=2)
    for index, line in enumerate(found):
        draw_line(axes, line, index)


def _efficiencies(axes: Axes, lines: Sequence[NamedLine]) -> None:
    found = [
        Line(
            label=named.name,
            sizes=tuple(float(rung.num_ranks) for rung in named.line.rungs),
            values=tuple(rung.efficiency.scaled(100.0) for rung in named.line.rungs),
            curve=(),
        )
        for named in lines
    ]
    ranks = [size for line in found for size in line.sizes]
    rank_axis(axes, ranks, 0.0)
    highest = max(value.high for line in found for value in line.values)
    axes.set_ylim(0, max(112.0, 1.08 * highest))
    axes.set_ylabel("efficiency")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    axes.axhline(100.0, color=QUIET, linestyle=(0, (1, 1.5)), linewidth=0.9, zorder=2)
    for index, line in enumerate(found):
        draw_line(axes, line, index)
    name_lines(axes, found, _FULL_WIDTH / _PANEL_WIDTH)


def _gain(named: NamedLine, *, is_strong: bool) -> Line:
    rungs = named.line.rungs
    return Line(
        label=named.name,
        sizes=tuple(float(rung.num_ranks) for rung in rungs),
        values=tuple(rung.speedup if is_strong else rung.samples_per_s for rung in rungs),
        curve=_curve(named, is_strong=is_strong) if named.trend is not None else (),
    )


def _curve(named: NamedLine, *, is_strong: bool) -> tuple[CurvePoint, ...]:
    """The fitted step as what it means for the gain."""
    base = named.line.rungs[0]
    curve = named.trend.step_curve if named.trend is not None else ()
    return tuple(
        CurvePoint(
            size=point.size,
            interval=point.interval.inverted(
                base.step_ns.value
                * (1.0 if is_strong else base.samples_per_s.value * point.size / base.num_ranks)
            ),
            is_extrapolated=point.is_extrapolated,
        )
        for point in curve
    )


def _ideal(line: Line, largest: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ends of the line on which every rank adds as much as the first ones."""
    ranks, value = line.sizes[0], line.values[0].value
    return (ranks, largest), (value, value * largest / ranks)
