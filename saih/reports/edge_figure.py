"""The edge of what runs: what became of each cell of the maps, with the memory that it needs."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from saih.domain.quantity import with_si
from saih.domain.record import Outcome
from saih.domain.trend import FailedPoint, PointSummary
from saih.reports.figure import EDGE, drawn
from saih.reports.grid import Cell, Grid
from saih.reports.map_panels import edge_segments, frame_map
from saih.reports.panels import WIDTH_MM, Panels

_LETTERS = {
    Outcome.OUT_OF_MEMORY: "M", Outcome.TIMED_OUT: "T", Outcome.DIVERGED: "D", Outcome.LOST: "L"
}  # fmt: skip
_RAN = "#dfe6ec"
_CELL_MM, _LEAST_TEXT = 3.9, 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePanel:
    """One setting."""

    title: str
    grid: Grid


def edge_figure(panels: Sequence[EdgePanel]) -> str:
    """SVG of one map a setting."""
    rows = max(len(panel.grid.model) for panel in panels)
    are_alike = len({panel.grid.model for panel in panels}) == 1
    widest = max(len(panel.grid.data) for panel in panels)
    columns = 1 if widest > 12 or len(panels) == 1 else 2 if len(panels) <= 4 else 3
    place = Panels(
        count=len(panels),
        columns=columns,
        panel_mm=min(max(rows * _CELL_MM, 24.0), 62.0),
        left_mm=20.0,
        gap_mm=6.0 if are_alike else 20.0,
        foot_mm=4.5,
    )

    def paint(figure: Figure) -> None:
        for index, panel in enumerate(panels):
            axes = place.axes(figure, index)
            has_labels = place.is_first(index) or not are_alike
            frame_map(axes, panel.grid, panel.title, place.panel_width_mm, has_labels=has_labels)
            _cells(axes, panel.grid, place)
        figure.text(
            0.5, 1.0 / place.height_mm, "data grows →; model grows ↑", ha="center", va="bottom", fontsize=7
        )

    return drawn(WIDTH_MM, place.height_mm, paint)


def _cells(axes: Axes, grid: Grid, place: Panels) -> None:
    height_mm, width_mm = place.panel_mm / len(grid.model), place.panel_width_mm / len(grid.data)
    for (row, column), cell in grid.cells.items():
        is_failed = isinstance(cell, FailedPoint)
        has_run = isinstance(cell, PointSummary)
        axes.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5), 1.0, 1.0, linewidth=0.5, facecolor=_RAN if has_run else "white",
                edgecolor="white" if has_run else "#b3b3b3",
                hatch="" if has_run else "/////" if is_failed else ".....",
            )
        )  # fmt: skip
        words = _words(cell)
        size = min(6.2, 1.55 * height_mm, width_mm / max(len(words), 1) * 4.4)
        if words and size >= _LEAST_TEXT:
            axes.text(
                column, row, words, ha="center", va="center", fontsize=size, zorder=3,
                bbox=None if has_run else {"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )  # fmt: skip
    axes.add_collection(LineCollection(edge_segments(grid), colors=EDGE, linewidths=1.8, zorder=5))


def _words(cell: Cell) -> str:
    """The bytes of one rank's tensors, after the letter of a failure."""
    letter = _LETTERS.get(cell.outcome, "F") if isinstance(cell, FailedPoint) else ""
    size = with_si(float(cell.tensor_bytes), "B", 2) if cell.tensor_bytes else ""
    return " ".join(part for part in (letter, size.replace("\N{NO-BREAK SPACE}", " ")) if part)
