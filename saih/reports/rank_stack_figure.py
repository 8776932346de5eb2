"""Where the rank-time of one sample goes as ranks grow: a stack of phases for each number of ranks."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from saih.domain.record import STEP_PHASES, Phase
from saih.domain.trend import PointSummary
from saih.reports.figure import QUIET, drawn
from saih.reports.fitted import fitted
from saih.reports.scaling_figure import NamedLine
from saih.reports.stack_figure import PHASE_FILLS, phase_legend, phases_in

STACKS_PER_FIGURE = 6
_COLUMNS = 3
_WIDTH_MM, _ROW_MM = 176.0, 50.0
_TOP_MM, _LEFT_MM, _GAP_MM, _BELOW_MM, _ABOVE_MM = 6.0, 16.0, 11.0, 10.0, 6.0
_MM_PER_TICK = 6.0


def rank_stack_figure(lines: Sequence[NamedLine], points: Mapping[str, PointSummary]) -> str:
    """SVG of one panel for each line; 100 % is a sample's rank-time at the smallest number of ranks."""
    num_rows = -(-len(lines) // _COLUMNS)
    height_mm = _TOP_MM + _ROW_MM * num_rows

    rungs = [rung.record_id for named in lines for rung in named.line.rungs]
    present = phases_in(points[record_id] for record_id in rungs if record_id in points)

    def paint(figure: Figure) -> None:
        width_mm = (_WIDTH_MM - _LEFT_MM) / _COLUMNS - _GAP_MM
        for index, named in enumerate(lines):
            row, column = divmod(index, _COLUMNS)
            bottom_mm = height_mm - _TOP_MM - _ROW_MM * (row + 1) + _BELOW_MM
            axes = figure.add_axes(
                (
                    (_LEFT_MM + column * (width_mm + _GAP_MM)) / _WIDTH_MM,
                    bottom_mm / height_mm,
                    width_mm / _WIDTH_MM,
                    (_ROW_MM - _BELOW_MM - _ABOVE_MM) / height_mm,
                )
            )
            _panel(axes, named, points, width_mm)
            if column == 0:
                axes.set_ylabel("rank-time per sample")
                axes.yaxis.set_label_coords(-(_LEFT_MM - 3.0) / width_mm, 0.5)
        phase_legend(figure, height_mm, present)

    return drawn(_WIDTH_MM, height_mm, paint)


def _panel(axes: Axes, named: NamedLine, points: Mapping[str, PointSummary], width_mm: float) -> None:
    rungs = named.line.rungs
    base = rungs[0].num_ranks / rungs[0].samples_per_s.value
    tops = []
    for place, rung in enumerate(rungs):
        phases = points[rung.record_id].phases_ns if rung.record_id in points else {}
        scale = 100 * rung.num_ranks / rung.samples_per_s.value / base / rung.step_ns.value
        tops.append(_stack(axes, place, {phase: one.value * scale for phase, one in phases.items()}))
    axes.axhline(100.0, color=QUIET, linestyle=(0, (1, 1.5)), linewidth=0.9, zorder=4)
    axes.set_ylim(0, 1.12 * max([100.0, *tops]))
    axes.set_xlim(-0.6, len(rungs) - 0.4)
    every = math.ceil(len(rungs) * _MM_PER_TICK / width_mm)
    shown = range(0, len(rungs), every)
    axes.set_xticks(list(shown), [str(rungs[place].num_ranks) for place in shown])
    axes.set_xlabel("ranks")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    axes.grid(visible=False, axis="x")
    axes.set_title(fitted(named.name, width_mm + 8.0, 7), loc="left", fontsize=7, pad=3)


def _stack(axes: Axes, place: int, heights: Mapping[Phase, float]) -> float:
    below = 0.0
    for phase in STEP_PHASES:
        height = heights.get(phase, 0.0)
        colour, hatch = PHASE_FILLS[phase]
        axes.bar(
            place, height, bottom=below, width=0.74, color=colour, hatch=hatch, edgecolor="white",
            linewidth=0.3,
        )  # fmt: skip
        below += height
    return below
