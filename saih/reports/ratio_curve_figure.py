"""Ratio curves: the speed of one system over another along one axis, with where one passes the other."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saih.domain.comparison import RatioCurve
from saih.domain.interval import Interval
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
    spread,
)
from saih.reports.label import shortened
from saih.reports.ratio_figure import ratio_axis

_WIDTH_MM, _HEIGHT_MM = 176.0, 78.0
_FRAME = (0.1, 0.15, 0.62, 0.75)
MOST_CURVES = 6
"""Curves of one figure that can still be told apart."""


def ratio_curve_figure(curves: Sequence[RatioCurve], labels: Sequence[str], name_a: str, name_b: str) -> str:
    """SVG of the ratios of A over B along the axis of these curves.

    Marks are measured, lines are the ratio of the fitted laws with its band, dashed beyond the points; an
    hourglass of two triangles on the line of equal speed spans a crossing.
    """

    def paint(figure: Figure) -> None:
        axes = figure.add_axes(_FRAME)
        axes.set_xlabel(shortened(curves[0].size_label, 90))
        axes.set_ylabel(f"speed of {shortened(name_a, 18)}\nover {shortened(name_b, 18)}")
        sizes = [point.size for curve in curves for point in curve.points]
        log_axis(axes, "x", [*sizes, *(point.size for curve in curves for point in curve.law)])
        ratio_axis(axes, "y", _shown(curves))
        axes.axhline(1.0, color="#333333", linewidth=0.8, zorder=2)
        for index, curve in enumerate(curves):
            _draw(axes, curve, index, has_band=len(curves) <= 3)
        _name(axes, curves, labels)
        for place, side, text in (
            (0.0, "left", f"above 1x: {shortened(name_a, 40)} is faster"),
            (1.0, "right", f"below 1x: {shortened(name_b, 40)} is faster"),
        ):
            axes.text(
                place, 1.015, text, transform=axes.transAxes, ha=side, va="bottom", fontsize=6.5, color=QUIET
            )

    return drawn(_WIDTH_MM, _HEIGHT_MM, paint)


def _shown(curves: Sequence[RatioCurve]) -> list[Interval]:
    """Ratios that the ordinate must hold: all that were measured, and the laws where they are sure enough."""
    measured = [point.ratio for curve in curves for point in curve.points]
    return [
        *measured,
        *(_line(point) for curve in curves for point in curve.law if not point.is_extrapolated),
    ]


def _line(point: CurvePoint) -> Interval:
    """The value alone: a wide band may leave the figure, a line may not."""
    value = point.interval
    return Interval(
        low=value.value, value=value.value, high=value.value, level=value.level, count=value.count
    )


def _draw(axes: Axes, curve: RatioCurve, index: int, *, has_band: bool) -> None:
    colour = colour_of(index)
    marked(axes, [point.size for point in curve.points], [point.ratio for point in curve.points], index)
    if curve.law and has_band:
        xs = [point.size for point in curve.law]
        lows, highs = ([getattr(point.interval, bound) for point in curve.law] for bound in ("low", "high"))
        axes.fill_between(xs, lows, highs, color=colour, alpha=0.12, linewidth=0, zorder=1)
    for is_extrapolated, style in ((False, "-"), (True, "--")):
        part = [point for point in curve.law if point.is_extrapolated is is_extrapolated]
        if is_extrapolated and part:
            part = [*[point for point in curve.law if not point.is_extrapolated][-1:], *part]
        axes.plot(
            [point.size for point in part], [point.interval.value for point in part], color=colour,
            linestyle=style, zorder=3,
        )  # fmt: skip
    for crossing in curve.crossings:
        size = crossing.size
        axes.plot([size.low, size.high], [1, 1], color=colour, linewidth=4.5, alpha=0.55, zorder=3.5,
                  solid_capstyle="butt")  # fmt: skip
        axes.plot([size.value, size.value], [0.985, 1.015], color=COLOURS[-1], linewidth=1.0, zorder=6)


def _name(axes: Axes, curves: Sequence[RatioCurve], labels: Sequence[str]) -> None:
    """Write what each curve holds fixed beside its end."""
    ends = [
        (curve.law[-1].size, curve.law[-1].interval.value) if curve.law
        else (curve.points[-1].size, curve.points[-1].ratio.value)
        for curve in curves
    ]  # fmt: skip
    to_axes = axes.transData + axes.transAxes.inverted()
    places = [(float(x), min(max(float(y), 0.0), 1.0)) for x, y in map(to_axes.transform, ends)]
    heights = spread([y for _, y in places], 0.06, 0.03, 0.97)
    for index, (label, place, height) in enumerate(zip(labels, places, heights, strict=True)):
        colour = colour_of(index)
        axes.plot(
            [place[0], 1.03], [place[1], height], transform=axes.transAxes, clip_on=False, color=colour,
            linewidth=0.5, alpha=0.7,
        )  # fmt: skip
        axes.plot(
            [1.045], [height], transform=axes.transAxes, clip_on=False, color=colour, marker=marker_of(index),
            markersize=marker_size_of(index), linestyle="none",
        )  # fmt: skip
        axes.text(
            1.065, height, shortened(label, 30), transform=axes.transAxes, va="center", fontsize=6.8,
            color=COLOURS[-1],
        )  # fmt: skip
