"""The curves of one foreign series: the whole and its phases over the size."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from saih.domain.interval import Interval
from saih.domain.quantity import with_si_short
from saih.domain.series_trend import SeriesPoint, SeriesTrend
from saih.domain.trend import CurvePoint
from saih.reports.figure import drawn, log_axis, note
from saih.reports.label import shortened
from saih.reports.series_words import factor_of, unit_of
from saih.reports.trend_figure import Line, name_lines, paint_lines

_WIDTH_MM, _HEIGHT_MM = 176.0, 78.0
_FRAME = (0.1, 0.145, 0.65, 0.8)
_MAX_PHASES = 8


def series_figure(trend: SeriesTrend) -> str:
    """SVG of the points with their intervals, and of the curves with their bands."""
    lines = _lines(trend)

    def paint(figure: Figure) -> None:
        axes = figure.add_axes(_FRAME)
        axes.set_xlabel(shortened(trend.series.size_label, 90))
        axes.set_ylabel(f"value [{unit_of(trend.series) or 'unit not told'}]")
        if not lines:
            note(axes, "nothing to show: no usable value")
            axes.set_xticks([])
            axes.set_yticks([])
            return
        _scale(axes, lines, unit_of(trend.series))
        paint_lines(axes, lines, range(len(lines)))
        name_lines(axes, lines)

    return drawn(_WIDTH_MM, _HEIGHT_MM, paint)


def _lines(trend: SeriesTrend) -> tuple[Line, ...]:
    factor = factor_of(trend.series)
    shown_points = [point for point in trend.points if point.value > 0]  # the axis is logarithmic
    if not shown_points:
        return ()
    sizes = tuple(point.size for point in shown_points)
    whole = Line(
        label="whole",
        sizes=sizes,
        values=tuple(bar_of(point).scaled(factor) for point in shown_points),
        curve=_scaled(trend.curve, factor),
    )
    shown = [one for one in trend.components if not one.is_hidden][:_MAX_PHASES]
    phases = [
        Line(
            label=shortened(one.phase, 40),
            sizes=sizes,
            values=tuple(bar_of(point).scaled(factor) for point in one.points),
            curve=_scaled(one.curve, factor),
        )
        for one in shown
    ]
    return (whole, *(line for line in phases if all(value.low > 0 for value in line.values)))


def bar_of(point: SeriesPoint) -> Interval:
    """The interval of a point; one run that shows no noise is a bare mark."""
    value = point.value
    return point.interval or Interval(low=value, value=value, high=value, level=0.95, count=point.num_runs)


def _scaled(curve: Sequence[CurvePoint], factor: float) -> tuple[CurvePoint, ...]:
    return tuple(
        CurvePoint(size=one.size, interval=one.interval.scaled(factor), is_extrapolated=one.is_extrapolated)
        for one in curve
    )


def _scale(axes: Axes, lines: Sequence[Line], unit: str) -> None:
    values = [value.value for line in lines for value in line.values]
    expected = [point.interval.value for line in lines for point in line.curve]
    log_axis(axes, "y", values + expected)
    prefix = unit if unit == "s" else ""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: with_si_short(value, prefix)))
