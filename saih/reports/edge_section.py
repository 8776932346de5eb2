"""The section on the edge of what runs: what ran out of memory or was dropped, where, and why."""

from collections.abc import Sequence

from saih.domain.quantity import counted
from saih.domain.record import Outcome
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import Analysis, FailedPoint
from saih.reports.document import Block, Heading, Paragraph, Picture, Section
from saih.reports.edge_figure import EdgePanel, edge_figure
from saih.reports.edge_table import edge_table
from saih.reports.grid import Grid, grids
from saih.reports.map_panels import PANELS_PER_FIGURE
from saih.reports.setting import setting_names

TITLE = "Edge of what runs"


def edge_section(analysis: Analysis) -> Section:
    """A map of what became of each cell, with the memory it needs, and the reasons."""
    lost = (*analysis.failed, *analysis.dropped)
    if not lost:
        words = "Every planned point was measured and none was dropped: the edge lies beyond this sweep."
        return Section(title=TITLE, blocks=(Paragraph(text=words),), is_short=True)
    blocks: list[Block] = [Paragraph(text=_said(analysis))]
    touched = [grid for grid in _by_ranks(analysis) if _is_touched(grid)]
    starts = range(0, len(touched), PANELS_PER_FIGURE)
    blocks += [_picture(touched[start : start + PANELS_PER_FIGURE], analysis) for start in starts]
    blocks += [Heading(text="Points without a measurement"), edge_table(analysis)]
    return Section(title=TITLE, blocks=tuple(blocks), is_short=True)


def _said(analysis: Analysis) -> str:
    outcomes = [point.outcome for point in analysis.failed]
    counts = [
        f"{counted(outcomes.count(outcome), 'point')} {_verb(outcome)}"
        for outcome in Outcome
        if outcome in outcomes
    ]
    if analysis.dropped:
        counts.append(f"{counted(len(analysis.dropped), 'point')} dropped before the run")
    return (
        f"{', '.join(counts)}. A failure is data: it shows the edge of what fits. Nothing below is part of "
        "any average or fit."
    )


def _verb(outcome: Outcome) -> str:
    return {Outcome.OUT_OF_MEMORY: "ran out of memory"}.get(outcome, str(outcome).replace("_", " "))


def _by_ranks(analysis: Analysis) -> list[Grid]:
    names = list(setting_names((*analysis.points, *analysis.failed, *analysis.dropped)))
    return sorted(grids(analysis), key=lambda grid: names.index(grid.setting))


def _is_touched(grid: Grid) -> bool:
    return any(isinstance(cell, FailedPoint | DroppedPoint) for cell in grid.cells.values())


def _picture(part: Sequence[Grid], analysis: Analysis) -> Picture:
    names = setting_names((*analysis.points, *analysis.failed, *analysis.dropped))
    panels = [EdgePanel(title=names[grid.setting], grid=grid) for grid in part]
    return Picture(
        svg=edge_figure(panels),
        alt=f"Map of what ran, failed and was dropped, {counted(len(panels), 'panel')}.",
        caption=(
            "What became of each point. Grey: measured. Slashes: failed (M: out of memory, T: timed out, D: "
            "diverged, L: lost, F: other). Dots: dropped before the run. The thick orange line is the edge "
            "between what ran and what did not. Numbers: bytes of tensors of one rank, "
            "calculated, not measured."
        ),
    )
