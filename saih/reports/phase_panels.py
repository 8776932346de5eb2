"""Where the time of a step goes at many points: a stack of phases for each rung, one panel a line."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saih.domain.quantity import with_si_short
from saih.domain.record import STEP_PHASES, Phase
from saih.domain.trend import PointSummary
from saih.reports.figure import drawn
from saih.reports.fitted import fitted
from saih.reports.label import shortened
from saih.reports.panels import WIDTH_MM, Panels
from saih.reports.stack_figure import PHASE_FILLS, phase_legend, phases_in

PANELS_PER_FIGURE = 16
_COLUMNS, _PANEL_MM = 4, 27.0
_MM_PER_TICK = 1.15
"""Of one character below a stack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasePanel:
    """Points by growing size along one axis, everything else fixed."""

    title: str
    points: tuple[PointSummary, ...]


def phase_panels(panels: Sequence[PhasePanel], axis: str) -> str:
    """SVG of the panels; every stack is 100 % of the median step, which is written above it."""
    place = Panels(
        count=len(panels),
        columns=_COLUMNS,
        panel_mm=_PANEL_MM,
        left_mm=11.0,
        gap_mm=3.0,
        head_mm=5.5,
        above_mm=7.5,
    )

    present = phases_in(point for panel in panels for point in panel.points)

    def paint(figure: Figure) -> None:
        for index, panel in enumerate(panels):
            axes = place.axes(figure, index)
            _panel(axes, panel, axis, place.panel_width_mm)
            if not place.is_first(index):
                axes.tick_params(axis="y", labelleft=False)
        figure.text(
            0.5, 1.0 / place.height_mm, shortened(f"{axis} grows →", 60), ha="center", va="bottom",
            fontsize=7.5,
        )  # fmt: skip
        phase_legend(figure, place.height_mm, present)

    return drawn(WIDTH_MM, place.height_mm, paint)


def _panel(axes: Axes, panel: PhasePanel, axis: str, width_mm: float) -> None:
    bars = range(len(panel.points))
    below = [0.0] * len(panel.points)
    for phase in STEP_PHASES:
        heights = [_share(point.phases_ns, phase, point.step_ns.value) for point in panel.points]
        colour, hatch = PHASE_FILLS[phase]
        axes.bar(
            bars, heights, bottom=below, width=0.8, color=colour, hatch=hatch, edgecolor="white",
            linewidth=0.3,
        )  # fmt: skip
        below = [old + height for old, height in zip(below, heights, strict=True)]
    axes.set_ylim(0, 100)
    axes.set_xlim(-0.6, max(len(panel.points), 4) - 0.4)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    axes.set_yticks([0, 50, 100])
    axes.grid(visible=False)
    axes.set_title(fitted(panel.title, width_mm, 6.5), loc="left", fontsize=6.5, pad=9)
    _name_bars(axes, panel.points, axis, width_mm / max(len(panel.points), 4))


def _name_bars(axes: Axes, points: Sequence[PointSummary], axis: str, bar_mm: float) -> None:
    """The step above each stack and its rung below, on as many of them as have room."""
    steps = [with_si_short(float(f"{point.step_ns.value * 1e-9:.2g}"), "s") for point in points]
    every = math.ceil(max(map(len, steps), default=1) * _MM_PER_TICK / bar_mm)
    for place in range(0, len(points), every):
        axes.text(place, 102, steps[place], ha="center", va="bottom", fontsize=5.2)
    labels = [point.labels.get(axis, "") for point in points]
    wide = max(map(len, labels), default=1)
    every = math.ceil(min(wide, 12) * _MM_PER_TICK / bar_mm)
    shown = range(0, len(points), every)
    axes.set_xticks(list(shown), [shortened(labels[place], 12) for place in shown], fontsize=5.4)
    axes.tick_params(axis="x", length=0, pad=1.5)


def _share(phases: Mapping[Phase, object], phase: Phase, step_ns: float) -> float:
    found = phases.get(phase)
    return 100 * getattr(found, "value", 0.0) / step_ns if step_ns else 0.0
