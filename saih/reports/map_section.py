"""The section of maps: each quantity over data and model, for every setting of the sweep."""

from collections.abc import Sequence

from saih.domain.interval import Interval
from saih.domain.quantity import counted, percent
from saih.domain.trend import Analysis, PointSummary
from saih.reports.document import Block, Heading, Paragraph, Picture, Section
from saih.reports.grid import Grid, grids, num_measured
from saih.reports.growth_sections import NO_POINT, between
from saih.reports.label import shortened
from saih.reports.map_panels import PANELS_PER_FIGURE, MapPanel, Metric, map_panels
from saih.reports.setting import setting_names

ONE_POINT = "A map needs two points that differ in data or model; every number is in the table of points."
_TITLE = "Maps over data and model"
_MOST_SETTINGS = 2 * PANELS_PER_FIGURE
_LARGE = 12
"""Rungs beyond which a map has a whole row of the page for itself."""


def _energy(point: PointSummary) -> Interval | None:
    return point.energy.joules_per_sample if point.energy is not None else None


METRICS = (
    Metric(
        name="share of measured peak", unit="%", value_of=lambda point: point.share_of_peak, is_share=True
    ),
    Metric(name="rate over all ranks", unit="FLOP/s", value_of=lambda point: point.flops_per_s),
    Metric(name="throughput over all ranks", unit="samples/s", value_of=lambda point: point.samples_per_s),
    Metric(name="energy", unit="J/sample", value_of=_energy),
)


def map_section(analysis: Analysis) -> Section:
    """Maps of every metric that any point has; those of one setting together, of many as small multiples."""
    made = sorted(
        (grid for grid in grids(analysis) if num_measured(grid) and len(grid.cells) > 1),
        key=lambda grid: list(setting_names(analysis.points)).index(grid.setting),
    )
    known = [metric for metric in METRICS if _is_known(metric, analysis.points)]
    names = setting_names(analysis.points)
    blocks: list[Block] = []
    if len(made) == 1:
        panels = [_panel(made[0], metric, _title(metric)) for metric in known]
        blocks.append(_picture(panels, analysis.points, "each quantity"))
    elif made:
        for metric in known:
            blocks.append(Heading(text=_title(metric)))
            panels = [_panel(grid, metric, names[grid.setting]) for grid in made[:_MOST_SETTINGS]]
            blocks += [
                _picture(panels[start : start + PANELS_PER_FIGURE], analysis.points, metric.name)
                for start in range(0, len(panels), PANELS_PER_FIGURE)
            ]
    if not blocks:
        words = ONE_POINT if analysis.points else NO_POINT
        return Section(title=_TITLE, blocks=(Paragraph(text=words),), is_short=True)
    return Section(title=_TITLE, blocks=tuple(blocks), is_short=True)


def _is_known(metric: Metric, points: Sequence[PointSummary]) -> bool:
    return any(metric.value_of(point) is not None for point in points)


def _title(metric: Metric) -> str:
    return f"{metric.name[0].upper()}{metric.name[1:]} [{metric.unit}]"


def _panel(grid: Grid, metric: Metric, title: str) -> MapPanel:
    return MapPanel(title=title, grid=grid, metric=metric)


def _picture(panels: Sequence[MapPanel], points: Sequence[PointSummary], what: str) -> Picture:
    is_large = max(len(panel.grid.data) for panel in panels) > _LARGE
    columns = 1 if is_large else 2 if len(panels) <= 4 else 3
    return Picture(
        svg=map_panels(panels, columns),
        alt=f"Map of {shortened(what, 40)} over data and model, {counted(len(panels), 'panel')}.",
        caption=_caption(panels, points),
    )


def _caption(panels: Sequence[MapPanel], points: Sequence[PointSummary]) -> str:
    shown = sum(num_measured(grid) for grid in {panel.grid.setting: panel.grid for panel in panels}.values())
    widest = max(point.step_ns.relative_width for point in points)
    steps = sorted(point.step_ns.count for point in points)
    return (
        f"Medians of {counted(shown, 'point')}, n = {between(steps)} steps each; "
        f"{percent(points[0].step_ns.level)} intervals at most {percent(widest)} wide, each in the table of "
        "points. Brighter is higher. Slashes: failed; dots: left out (cannot fit, or not needed); the thick "
        "orange line is the edge of what ran."
    )
