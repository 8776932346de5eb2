"""The map: share of peak and verdict at each rung of data and model, with the edge of what fits hatched."""

import textwrap
from collections.abc import Callable

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from saih.domain.quantity import percent, with_si
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import FailedPoint, PointSummary
from saih.reports.figure import QUIET, drawn
from saih.reports.fitted import fitted
from saih.reports.grid import Cell, Grid

_WIDTH_MM = 176.0
_LEFT_MM, _RIGHT_MM, _TOP_MM, _BOTTOM_MM = 33.0, 3.0, 2.0, 11.0
_MM_PER_CHARACTER = 1.55
_MOST_MM = 66.0
"""Of all rows together, so that the map leaves room for words on its page."""
_BOTH_MM, _VERDICT_MM = 6.5, 13.0
"""Least height and width of a cell that holds a verdict below its number."""
_POINTS_PER_MM = 3.6
"""Of type for each mm of a character's width."""
_LEAST_SIZE = 3.8
_BRIGHTEST = 0.5
"""Share of peak at the bright end, so that maps of most reports share one scale."""


def map_figure(grid: Grid) -> str:
    """SVG of one grid; colours follow the share of peak, or the rate where no ceiling was measured."""
    row_mm = min(max(48.0 / len(grid.model), 9.0), 17.0, _MOST_MM / len(grid.model))
    height_mm = row_mm * len(grid.model) + _TOP_MM + _BOTTOM_MM

    def paint(figure: Figure) -> None:
        axes = figure.add_axes(
            (
                _LEFT_MM / _WIDTH_MM,
                _BOTTOM_MM / height_mm,
                1 - (_LEFT_MM + _RIGHT_MM) / _WIDTH_MM,
                1 - (_TOP_MM + _BOTTOM_MM) / height_mm,
            )
        )
        _frame(axes, grid)
        _fill(axes, grid, row_mm)

    return drawn(_WIDTH_MM, height_mm, paint)


def _frame(axes: Axes, grid: Grid) -> None:
    column_mm = (_WIDTH_MM - _LEFT_MM - _RIGHT_MM) / len(grid.data)
    axes.set_xlim(-0.5, len(grid.data) - 0.5)
    axes.set_ylim(-0.5, len(grid.model) - 0.5)
    axes.set_xticks(range(len(grid.data)), [fitted(rung.label, column_mm - 1.5, 7.0) for rung in grid.data])
    axes.set_yticks(range(len(grid.model)), [fitted(rung.label, _LEFT_MM - 8, 7.0) for rung in grid.model])
    axes.set_xlabel("data grows →" if len(grid.data) > 1 else "data")
    axes.set_ylabel("model grows →" if len(grid.model) > 1 else "model")
    axes.yaxis.set_label_coords(-(_LEFT_MM - 3) / (_WIDTH_MM - _LEFT_MM - _RIGHT_MM), 0.5)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _fill(axes: Axes, grid: Grid, row_mm: float) -> None:
    shade = _shading(grid)
    column_mm = (_WIDTH_MM - _LEFT_MM - _RIGHT_MM) / len(grid.data)
    for row in range(len(grid.model)):
        for column in range(len(grid.data)):
            cell = grid.cells.get((row, column))
            if isinstance(cell, PointSummary):
                _measured(axes, (column, row), cell, shade(cell), (column_mm, row_mm))
            else:
                _unmeasured(axes, (column, row), cell, (column_mm, row_mm))


def _measured(
    axes: Axes,
    place: tuple[int, int],
    point: PointSummary,
    colour: tuple[float, float, float],
    cell_mm: tuple[float, float],
) -> None:
    """The headline, and below it the verdict where the cell has room for both."""
    column_mm, row_mm = cell_mm
    axes.add_patch(_square(place, facecolor=colour, edgecolor="white"))
    ink = "white" if 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 0.53 else "#1a1a1a"
    words = headline(point)
    has_verdict = row_mm >= _BOTH_MM and column_mm >= _VERDICT_MM
    size = min(9.0, row_mm * (1.05 if has_verdict else 1.8), column_mm / len(words) * _POINTS_PER_MM)
    lines = textwrap.wrap(str(point.diagnosis.limit), max(int(column_mm / _MM_PER_CHARACTER), 6))
    lift = 0.0 if not has_verdict else 0.16 if len(lines) == 1 else 0.24
    if size >= _LEAST_SIZE:
        axes.text(
            place[0], place[1] + lift, words, ha="center", va="center", color=ink, fontsize=size,
            fontweight="bold",
        )  # fmt: skip
    if has_verdict:
        size = min(6.5 if len(lines) == 1 else 5.8, row_mm * 0.8 / len(lines) ** 0.5)
        axes.text(
            place[0], place[1] - 0.22, "\n".join(lines), ha="center", va="center", color=ink, fontsize=size,
            linespacing=1.05,
        )  # fmt: skip


def headline(point: PointSummary) -> str:
    """Share of peak in two digits, or the rate where no ceiling was measured."""
    if point.share_of_peak is not None:
        return percent(point.share_of_peak.value)
    return with_si(point.flops_per_s.value, "FLOP/s", 2)


def _unmeasured(axes: Axes, place: tuple[int, int], cell: Cell | None, cell_mm: tuple[float, float]) -> None:
    hatch = {FailedPoint: "////", DroppedPoint: "...."}.get(type(cell), "")
    axes.add_patch(_square(place, facecolor="white", edgecolor="#b3b3b3", hatch=hatch))
    column_mm, row_mm = cell_mm
    width = max(int(column_mm / _MM_PER_CHARACTER) - 2, 4)
    lines = textwrap.wrap(state_words(cell), width)
    size = min(6.5, row_mm * 1.2 / len(lines), column_mm / max(map(len, lines)) * _POINTS_PER_MM)
    if size < _LEAST_SIZE:
        return  # the hatch tells it
    axes.text(
        *place, "\n".join(lines), ha="center", va="center", fontsize=size, color=QUIET,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.12 * size},
    )  # fmt: skip


def state_words(cell: Cell | None) -> str:
    """What became of a cell without a measurement."""
    if isinstance(cell, FailedPoint):
        return str(cell.outcome).replace("_", " ")
    return "not run" if cell is None else "dropped"


def _square(place: tuple[int, int], **style: object) -> Rectangle:
    return Rectangle((place[0] - 0.48, place[1] - 0.46), 0.96, 0.92, linewidth=0.6, **style)  # type: ignore[arg-type]  # style of a patch


def _shading(grid: Grid) -> Callable[[PointSummary], tuple[float, float, float]]:
    """Cividis over the share of peak; rates without ceilings on a logarithmic scale."""
    points = [cell for cell in grid.cells.values() if isinstance(cell, PointSummary)]
    shares = [point.share_of_peak.value for point in points if point.share_of_peak is not None]
    rates = [point.flops_per_s.value for point in points if point.flops_per_s.value > 0]
    scale = colormaps["cividis"]
    by_share = Normalize(0, max([_BRIGHTEST, *shares]))
    by_rate = LogNorm(min(rates, default=1.0) / 2, max(rates, default=1.0) * 1.1)

    def shade(point: PointSummary) -> tuple[float, float, float]:
        if point.share_of_peak is not None:
            place = float(by_share(point.share_of_peak.value))
        else:
            place = float(by_rate(point.flops_per_s.value)) if point.flops_per_s.value > 0 else 0.0
        red, green, blue, _ = scale(place)
        return red, green, blue

    return shade
