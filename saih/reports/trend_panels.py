"""Trend curves of many settings: one small panel for each, all on the same axes and in the same colours."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from saih.reports.figure import colour_of, drawn, marker_of, marker_size_of
from saih.reports.fitted import fitted
from saih.reports.label import shortened
from saih.reports.panels import WIDTH_MM, Panels
from saih.reports.trend_figure import (
    ORDINATE_NAMES,
    Line,
    Ordinate,
    Roof,
    axes_width_mm,
    paint_lines,
    paint_roofs,
    scale_ordinate,
)

PANELS_PER_FIGURE = 9
LINES_PER_PANEL = 10
_COLUMNS, _PANEL_MM = 3, 34.0
_NAME_MM = 27.0
"""Of a name in the legend."""
_MANY_DECADES = 3e3
"""Ratio of the ends of an abscissa beyond which not every decade has room for its tick."""
_LEGEND_COLUMNS, _LEGEND_ROW_MM = 5, 4.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The lines of one setting, and its ceilings."""

    title: str
    lines: tuple[Line, ...]
    roofs: tuple[Roof, ...] = ()


def trend_panels(panels: Sequence[Panel], size_label: str, ordinate: Ordinate) -> str:
    """SVG of the panels; a line of the same name has the same colour and marker in all of them."""
    names = list(dict.fromkeys(line.label for panel in panels for line in panel.lines))
    legend_rows = -(-len(names) // _LEGEND_COLUMNS)
    place = Panels(
        count=len(panels),
        columns=min(_COLUMNS, len(panels)),
        panel_mm=_PANEL_MM,
        left_mm=17.0,
        head_mm=2.0 + legend_rows * _LEGEND_ROW_MM,
    )
    lines = [line for panel in panels for line in panel.lines]
    roofs = [roof for panel in panels for roof in panel.roofs]
    sizes = [size for line in lines for size in line.sizes]
    sizes += [point.size for line in lines for point in line.curve]

    def paint(figure: Figure) -> None:
        for index, panel in enumerate(panels):
            axes = place.axes(figure, index)
            scale_ordinate(axes, lines, ordinate, roofs)
            paint_roofs(axes, panel.roofs)
            if panel.lines:
                paint_lines(axes, panel.lines, [names.index(line.label) for line in panel.lines], sizes)
            _frame(axes, panel.title, is_first=place.is_first(index), is_lowest=place.is_lowest(index))
            if place.is_first(index):
                axes.set_ylabel(ORDINATE_NAMES[ordinate], labelpad=2)
        figure.text(
            0.5, 1.2 / place.height_mm, shortened(size_label, 90), ha="center", va="bottom", fontsize=7.5
        )
        _legend(figure, names, place.height_mm)

    return drawn(WIDTH_MM, place.height_mm, paint)


def _frame(axes: Axes, title: str, *, is_first: bool, is_lowest: bool) -> None:
    axes.set_title(fitted(title, axes_width_mm(axes), 6.8), loc="left", fontsize=6.8, pad=3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    low, high = axes.get_xlim()
    if high / low > _MANY_DECADES:
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
    if not is_first:
        axes.tick_params(axis="y", labelleft=False)
    if not is_lowest:
        axes.tick_params(axis="x", labelbottom=False)


def _legend(figure: Figure, names: Sequence[str], height_mm: float) -> None:
    handles = [
        Line2D(
            [], [], color=colour_of(index), marker=marker_of(index), markersize=marker_size_of(index),
            markeredgecolor="white", markeredgewidth=0.35, linewidth=1.2,
            label=fitted(name or "points", _NAME_MM, 6.5),
        )
        for index, name in enumerate(names)
    ]  # fmt: skip
    if handles:
        figure.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(0.0, 1 - 1.0 / height_mm), frameon=False,
            ncols=_LEGEND_COLUMNS, fontsize=6.5, columnspacing=1.2, handlelength=1.6, borderaxespad=0,
            borderpad=0.1, handletextpad=0.4,
        )  # fmt: skip
