"""Maps of one quantity each over data and model: small multiples, with the edge of what ran drawn in."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from saih.domain.interval import Interval
from saih.domain.quantity import with_si
from saih.domain.trend import FailedPoint, PointSummary
from saih.reports.figure import EDGE, QUIET, drawn
from saih.reports.fitted import fitted, width_mm
from saih.reports.grid import Cell, Grid, Rung
from saih.reports.panels import WIDTH_MM, Panels

PANELS_PER_FIGURE = 9
_LEFT_MM, _GAP_MM, _LABEL_GAP_MM = 20.0, 6.0, 20.0
_LABEL_SIZE, _MOST_LABEL_MM = 5.6, 14.0
_TEXT_MM = 3.1
"""Least height of a cell that a number fits into."""
_NUM_SWATCHES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A quantity of a point: what it is called, and how it is shown."""

    name: str
    unit: str
    value_of: Callable[[PointSummary], Interval | None]
    is_share: bool = False

    def words(self, value: float) -> str:
        """Two digits, as short as a cell needs them; the unit stands above the map."""
        if self.is_share:
            return f"{100 * value:.0f}" if value >= 0.0995 else f"{100 * value:.2g}"
        return with_si(value, "", 2) if value >= 1 or value == 0 else f"{value:.2g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPanel:
    """One metric over one grid."""

    title: str
    grid: Grid
    metric: Metric


def map_panels(panels: Sequence[MapPanel], columns: int) -> str:
    """SVG of the panels, at most ``columns`` side by side; those of one metric share one scale of colours."""
    rows = max(len(panel.grid.model) for panel in panels)
    are_alike = len({panel.grid.model for panel in panels}) == 1
    place = Panels(
        count=len(panels),
        columns=min(columns, len(panels)),
        panel_mm=min(max(rows * 3.9, 26.0), 62.0),
        left_mm=_LEFT_MM,
        gap_mm=_GAP_MM if are_alike else _LABEL_GAP_MM,
        above_mm=10.5,
        foot_mm=4.5,
    )
    scales = {panel.metric.name: _scale(panels, panel.metric) for panel in panels}

    def paint(figure: Figure) -> None:
        for index, panel in enumerate(panels):
            axes = place.axes(figure, index)
            has_labels = place.is_first(index) or not are_alike
            frame_map(
                axes, panel.grid, panel.title, place.panel_width_mm, has_labels=has_labels, has_scale=True
            )
            _cells(axes, panel, scales[panel.metric.name], place)
            _swatches(axes, panel.metric, scales[panel.metric.name], place)
        figure.text(
            0.5, 1.0 / place.height_mm, "data grows →; model grows ↑", ha="center", va="bottom", fontsize=7
        )

    return drawn(WIDTH_MM, place.height_mm, paint)


def edge_segments(grid: Grid) -> list[list[tuple[float, float]]]:
    """The sides that a measured cell shares with one that failed or was dropped."""
    segments = []
    for (row, column), cell in grid.cells.items():
        if not isinstance(cell, PointSummary):
            continue
        for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            other = grid.cells.get((row + down, column + right))
            if other is None or isinstance(other, PointSummary):
                continue
            x, y = column + right / 2, row + down / 2
            along = (0.5, 0.0) if down else (0.0, 0.5)
            segments.append([(x - along[0], y - along[1]), (x + along[0], y + along[1])])
    return segments


def _scale(panels: Sequence[MapPanel], metric: Metric) -> Normalize:
    """Of all panels of the metric: linear for shares, else logarithmic."""
    values = [
        value.value
        for panel in panels
        if panel.metric.name == metric.name
        for cell in panel.grid.cells.values()
        if isinstance(cell, PointSummary) and (value := metric.value_of(cell)) is not None
    ]
    positive = [value for value in values if value > 0]
    if metric.is_share:
        return Normalize(0, max([0.1, *values]))
    low, high = min(positive, default=1.0), max(positive, default=1.0)
    return LogNorm(low, high) if high > low else LogNorm(low / 2, high * 2)


def frame_map(
    axes: Axes, grid: Grid, title: str, room_mm: float, *, has_labels: bool, has_scale: bool = False
) -> None:
    """Limits, rung labels and title of a map whose cells are one unit wide; ``has_scale`` leaves it room."""
    axes.set_xlim(-0.5, len(grid.data) - 0.5)
    axes.set_ylim(-0.5, len(grid.model) - 0.5)
    axes.grid(visible=False)
    axes.tick_params(length=0, pad=1.5, labelsize=_LABEL_SIZE)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _name_columns(axes, grid.data, room_mm)
    rows = [fitted(rung.label, _LEFT_MM - 2, _LABEL_SIZE) for rung in grid.model] if has_labels else []
    axes.set_yticks(range(len(rows)), rows)
    axes.set_title(fitted(title, room_mm, 6.8), loc="left", fontsize=6.8, pad=11 if has_scale else 3)


def _name_columns(axes: Axes, rungs: Sequence[Rung], all_mm: float) -> None:
    """As many labels as have room, the largest rung among them."""
    column_mm = all_mm / len(rungs)
    longest_mm = min(max(width_mm(rung.label, _LABEL_SIZE) for rung in rungs), _MOST_LABEL_MM)
    every = max(math.ceil(longest_mm / column_mm), 1)
    shown = range((len(rungs) - 1) % every, len(rungs), every)
    # The label of the last column may reach into the gap beside the map, not beyond.
    room_mm = min(every * column_mm, column_mm + 1.8 * _GAP_MM) - 1.0
    axes.set_xticks(list(shown), [fitted(rungs[place].label, room_mm, _LABEL_SIZE) for place in shown])


def _cells(axes: Axes, panel: MapPanel, scale: Normalize, place: Panels) -> None:
    grid, metric = panel.grid, panel.metric
    cell_mm = place.panel_mm / len(grid.model), place.panel_width_mm / len(grid.data)
    colours, squares = [], []
    for row in range(len(grid.model)):
        for column in range(len(grid.data)):
            cell = grid.cells.get((row, column))
            value = metric.value_of(cell) if isinstance(cell, PointSummary) else None
            if value is None:
                _blank(axes, (column, row), cell)
                continue
            colour = colormaps["cividis"](float(scale(value.value)) if value.value > 0 else 0.0)
            colours.append(colour)
            squares.append(_square((column, row)))
            _write(axes, (column, row), metric.words(value.value), colour, cell_mm)
    axes.add_collection(PatchCollection(squares, facecolors=colours, edgecolors="white", linewidths=0.5))
    axes.add_collection(LineCollection(edge_segments(grid), colors=EDGE, linewidths=1.8, zorder=5))


def _square(place: tuple[int, int], **style: str) -> Rectangle:
    return Rectangle((place[0] - 0.5, place[1] - 0.5), 1.0, 1.0, linewidth=0.5, **style)  # type: ignore[arg-type]  # style of a patch


def _write(
    axes: Axes,
    place: tuple[int, int],
    words: str,
    colour: tuple[float, float, float, float],
    cell_mm: tuple[float, float],
) -> None:
    height_mm, width_mm = cell_mm
    size = min(6.5, 1.6 * height_mm, width_mm / len(words) * 4.4)
    if height_mm < _TEXT_MM or size < 4.0:
        return  # the scale above the map tells what colours mean
    dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 0.53
    axes.text(
        *place, words, ha="center", va="center", fontsize=size, color="white" if dark else "#1a1a1a", zorder=3
    )


def _blank(axes: Axes, place: tuple[int, int], cell: Cell | None) -> None:
    """Slashes where it failed, dots where it was dropped, empty where there is no such point or value."""
    if cell is None:
        return
    is_failed = isinstance(cell, FailedPoint)
    hatch = "" if isinstance(cell, PointSummary) else "/////" if is_failed else "....."
    axes.add_patch(_square(place, facecolor="white", edgecolor="#b3b3b3", hatch=hatch))


def _swatches(axes: Axes, metric: Metric, scale: Normalize, place: Panels) -> None:
    """What the colours mean, above the map."""
    low, high = float(scale.vmin or 0.0), float(scale.vmax or 1.0)
    for number in range(_NUM_SWATCHES):
        share = number / (_NUM_SWATCHES - 1)
        value = low + share * (high - low) if metric.is_share else low * (high / low) ** share
        left = number / _NUM_SWATCHES
        axes.add_patch(
            Rectangle(
                (left, 1 + 0.8 / place.panel_mm), 2.2 / place.panel_width_mm, 2.0 / place.panel_mm,
                transform=axes.transAxes, facecolor=colormaps["cividis"](share), clip_on=False, linewidth=0,
            )
        )  # fmt: skip
        axes.text(
            left + 2.8 / place.panel_width_mm, 1 + 1.8 / place.panel_mm, metric.words(value), fontsize=5.4,
            transform=axes.transAxes, va="center", color=QUIET,
        )  # fmt: skip
