"""The roofline: each point's rate over its arithmetic intensity, under the measured ceilings.

Williams, Waterman & Patterson, Roofline, CACM 52(4), 2009.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.quantity import with_si
from saih.reports.figure import (
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
from saih.reports.stack_figure import NumberedPoint

_WIDTH_MM, _HEIGHT_MM = 176.0, 104.0
_FRAME = (0.095, 0.11, 0.635, 0.83)
_MOST_NUMBERS = 24
_NAME_MM = 40.0
"""Room for a name beside the axes."""
_NAMES = {
    CeilingKind.GEMM: "matrix product",
    CeilingKind.CONVOLUTION_FORWARD: "convolution, forward",
    CeilingKind.CONVOLUTION_BACKWARD: "convolution, backward",
}


def roofline_figure(points: Sequence[NumberedPoint], ceilings: Ceilings, precision: str) -> str:
    """SVG of the points of one placement under its ceilings; numbers are those of the table of points."""
    roofs = _roofs(ceilings, precision)
    curve = ceilings.curve(CeilingKind.MEMORY)
    # The largest working set is in main memory; smaller ones are served by caches.
    memory = curve.rates[-1] if curve else None
    cache = curve.best if curve else None

    def paint(figure: Figure) -> None:
        axes = figure.add_axes(_FRAME)
        axes.set_xlabel("arithmetic intensity [FLOP/byte]")
        axes.set_ylabel("rate over all ranks [FLOP/s]")
        shown = [point for point in points if _is_placeable(point)]
        if not roofs and not shown:
            note(axes, "no point and no arithmetic ceiling to show")
            return
        _scale(axes, shown, roofs, memory)
        _draw_ceilings(axes, roofs, memory)
        _draw_bandwidths(axes, roofs, memory, cache)
        _draw_points(axes, shown)
        _number(axes, shown)

    return drawn(_WIDTH_MM, _HEIGHT_MM, paint)


def _is_placeable(point: NumberedPoint) -> bool:
    return point.summary.flops_per_byte > 0 and point.summary.flops_per_s.low > 0


def _roofs(ceilings: Ceilings, precision: str) -> list[tuple[str, Interval | float]]:
    """Names and rates [FLOP/s] of the flat roofs; the vendor's is a bare number."""
    roofs: list[tuple[str, Interval | float]] = [
        (name, curve.best)
        for kind, name in _NAMES.items()
        if (curve := ceilings.curve(kind, precision)) is not None
    ]
    vendor = ceilings.vendor_flops_per_s.get(precision)
    return [*roofs, ("vendor's peak", vendor)] if vendor else roofs


def _rate(roof: Interval | float) -> float:
    return roof.value if isinstance(roof, Interval) else roof


def _scale(
    axes: Axes,
    points: Sequence[NumberedPoint],
    roofs: list[tuple[str, Interval | float]],
    memory: Interval | None,
) -> None:
    rates = [point.summary.flops_per_s.value for point in points] + [_rate(roof) for _, roof in roofs]
    xs = [point.summary.flops_per_byte for point in points]
    if memory and memory.value > 0 and roofs:
        ridge = max(_rate(roof) for _, roof in roofs) / memory.value
        xs += [ridge / 4, ridge * 4]
    log_axis(axes, "x", xs or [1.0])
    log_axis(axes, "y", rates)


def _draw_ceilings(axes: Axes, roofs: list[tuple[str, Interval | float]], memory: Interval | None) -> None:
    left, right = axes.get_xlim()
    heights = _roof_heights(axes, roofs)
    for (name, roof), height in zip(roofs, heights, strict=True):
        rate = _rate(roof)
        start = max(left, rate / memory.value) if memory and memory.value > 0 else left
        is_measured = isinstance(roof, Interval)
        axes.plot(
            [start, right],
            [rate, rate],
            color="#333333",
            linewidth=1.1,
            linestyle="-" if is_measured else ":",
        )
        if isinstance(roof, Interval):
            axes.fill_between([start, right], roof.low, roof.high, color="#333333", alpha=0.15, linewidth=0)
        _tag(axes, rate, height, f"{name} {with_si(rate, 'FLOP/s')}")


def _draw_bandwidths(
    axes: Axes, roofs: list[tuple[str, Interval | float]], memory: Interval | None, cache: Interval | None
) -> None:
    """The slopes: main memory with its interval, and the fastest cache as a thin line where it is faster."""
    if memory is None or memory.value <= 0:
        return
    top = max((_rate(roof) for _, roof in roofs), default=axes.get_ylim()[1])
    left, right = axes.get_xlim()
    knee = min(top / memory.value, right)
    axes.plot([left, knee], [left * memory.value, knee * memory.value], color="#333333", linewidth=1.3)
    axes.fill_between(
        [left, knee], [left * memory.low, knee * memory.low], [left * memory.high, knee * memory.high],
        color="#333333", alpha=0.15, linewidth=0,
    )  # fmt: skip
    words = f"slope: main memory {with_si(memory.value, 'B/s')} (triad)"
    knee = min(top / cache.value, right) if cache is not None else left
    if cache is not None and cache.low > memory.high and knee > left:
        axes.plot(
            [left, knee],
            [left * cache.value, knee * cache.value],
            color="#333333",
            linewidth=0.7,
            linestyle="--",
        )
        words += f"; dashed: cache {with_si(cache.value, 'B/s')}"
    axes.set_title(words, loc="left", fontsize=6.8, color=QUIET, pad=4)


def _roof_heights(axes: Axes, roofs: list[tuple[str, Interval | float]]) -> list[float]:
    to_axes = axes.transData + axes.transAxes.inverted()
    x = axes.get_xlim()[1]
    return spread([float(to_axes.transform((x, _rate(roof)))[1]) for _, roof in roofs], 0.045, 0.02, 0.98)


def _tag(axes: Axes, rate: float, height: float, text: str) -> None:
    to_axes = axes.transData + axes.transAxes.inverted()
    level = float(to_axes.transform((axes.get_xlim()[1], rate))[1])
    axes.plot(
        [1.0, 1.02], [level, height], transform=axes.transAxes, clip_on=False, color="#888888", linewidth=0.5
    )
    axes.text(1.025, height, text, transform=axes.transAxes, va="center", fontsize=6.8)


def _draw_points(axes: Axes, points: Sequence[NumberedPoint]) -> None:
    models = list(dict.fromkeys(point.summary.labels.get("model", "") for point in points))
    for index, model in enumerate(models):
        same = [point.summary for point in points if point.summary.labels.get("model", "") == model]
        intensities = [summary.flops_per_byte for summary in same]
        marked(axes, intensities, [summary.flops_per_s for summary in same], index)
    handles = [
        Line2D(
            [], [], marker=marker_of(index), color=colour_of(index), linestyle="none",
            markeredgecolor="white", markersize=marker_size_of(index),
            label=fitted(model or "points", _NAME_MM, 6.8),
        )
        for index, model in enumerate(models)
    ]  # fmt: skip
    if points:
        axes.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(1.01, 0.0), frameon=False, fontsize=6.8,
            handletextpad=0.3, borderaxespad=0,
        )  # fmt: skip


def _told(points: Sequence[NumberedPoint]) -> Sequence[NumberedPoint]:
    """The points that get a number: all, or of many the first and last of each model rung."""
    if len(points) <= _MOST_NUMBERS:
        return points
    rungs: dict[str, list[NumberedPoint]] = {}
    for point in points:
        rungs.setdefault(point.summary.labels.get("model", ""), []).append(point)
    return [rung[index] for rung in rungs.values() for index in sorted({0, len(rung) - 1})]


def _number(axes: Axes, points: Sequence[NumberedPoint]) -> None:
    """Write each point's number at its right, moved up or down where neighbours are close."""
    points = _told(points)
    to_axes = axes.transData + axes.transAxes.inverted()
    places = [
        to_axes.transform((point.summary.flops_per_byte, point.summary.flops_per_s.value)) for point in points
    ]
    columns: dict[int, list[int]] = {}
    for index, place in enumerate(places):
        columns.setdefault(round(float(place[0]) / 0.03), []).append(index)
    for members in columns.values():
        heights = spread([float(places[index][1]) for index in members], 0.03, 0.0, 1.0)
        for index, height in zip(members, heights, strict=True):
            axes.text(
                float(places[index][0]) + 0.011, height, str(points[index].number), transform=axes.transAxes,
                va="center", fontsize=5.8, color=QUIET, zorder=5,
            )  # fmt: skip
