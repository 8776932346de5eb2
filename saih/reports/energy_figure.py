"""Energy of a sample over the size of one axis; one line a rung of the other."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from saih.domain.energy import Energy
from saih.domain.interval import Interval
from saih.domain.quantity import with_si_short
from saih.domain.trend import CurvePoint
from saih.reports.figure import colour_of, drawn, log_axis, marked
from saih.reports.label import shortened
from saih.reports.trend_figure import Line, name_lines

_WIDTH_MM, _HEIGHT_MM = 176.0, 70.0
_LEFT, _FRAME_WIDTH = 0.1, 0.65
_TOP_MM, _BOTTOM_MM = 4.0, 11.0


def energy_line(
    label: str, sizes: Sequence[float], energies: Sequence[Energy], curve: tuple[CurvePoint, ...]
) -> Line:
    """A line of the figure [J]; an energy without an interval is drawn as its mark alone."""
    values = tuple(energy.joules_per_sample or _mark_alone(energy) for energy in energies)
    return Line(label=label, sizes=tuple(sizes), values=values, curve=curve)


def energy_figure(lines: Sequence[Line], size_label: str) -> str:
    """SVG of at least one line, both axes logarithmic."""

    def paint(figure: Figure) -> None:
        frame = (_LEFT, _BOTTOM_MM / _HEIGHT_MM, _FRAME_WIDTH, 1 - (_TOP_MM + _BOTTOM_MM) / _HEIGHT_MM)
        axes = figure.add_axes(frame)
        axes.set_xlabel(shortened(size_label, 90))
        axes.set_ylabel("energy of a sample")
        axes.yaxis.set_label_coords(-(_LEFT - 0.02) / _FRAME_WIDTH, 0.5)
        log_axis(axes, "x", [size for line in lines for size in line.sizes])
        log_axis(axes, "y", [bound for line in lines for bound in _bounds(line)])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: with_si_short(value, "J")))
        for index, line in enumerate(lines):
            _paint(axes, line, index)
        name_lines(axes, lines)

    return drawn(_WIDTH_MM, _HEIGHT_MM, paint)


def _mark_alone(energy: Energy) -> Interval:
    """Bounds at the value itself: the bar vanishes, and nothing is said of how sure it is."""
    value = energy.mean_joules_per_sample
    return Interval(low=value, value=value, high=value, level=0.5, count=energy.num_blocks)


def _bounds(line: Line) -> list[float]:
    ends = [bound for value in line.values for bound in (value.low, value.high)]
    return [*ends, *(point.interval.value for point in line.curve)]


def _paint(axes: Axes, line: Line, index: int) -> None:
    """Marks with their intervals, and the curve with its band; dotted where there is no curve."""
    colour = colour_of(index)
    marked(axes, line.sizes, line.values, index)
    if not line.curve:
        values = [value.value for value in line.values]
        axes.plot(line.sizes, values, color=colour, linewidth=0.7, linestyle=":", zorder=3)
        return
    xs = [point.size for point in line.curve]
    lows, values, highs = (
        [getattr(point.interval, bound) for point in line.curve] for bound in ("low", "value", "high")
    )
    axes.fill_between(xs, lows, highs, color=colour, alpha=0.13, linewidth=0, zorder=2)
    axes.plot(xs, values, color=colour, zorder=3)
