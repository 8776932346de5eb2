"""The section on time: the phases of each point, the step over each axis, its laws and their checks."""

from collections.abc import Sequence

from saih.domain.quantity import counted
from saih.domain.trend import Analysis
from saih.reports import tables
from saih.reports.document import Block, Heading, Paragraph, Picture, Section, section_or
from saih.reports.growth_sections import NO_POINT, courses_of, trend_blocks
from saih.reports.label import shortened
from saih.reports.phase_panels import PANELS_PER_FIGURE, PhasePanel, phase_panels
from saih.reports.setting import setting_names
from saih.reports.stack_figure import POINTS_PER_FIGURE, NumberedPoint, stack_figure
from saih.reports.thinned import thinned, thinned_words
from saih.reports.trend_lines import line_label

_MOST_BARS = 48
"""Points beyond this many are shown as small stacks along one axis."""
_MOST_PANELS = 2 * PANELS_PER_FIGURE
_MOST_LAWS = 24
"""Trends beyond this many show the law of the whole step only."""


def time_section(analysis: Analysis, points: Sequence[NumberedPoint]) -> Section:
    """Phases of each point, step time over each axis, laws and checks."""
    has_panels = len(points) > _MOST_BARS and bool(courses_of(analysis))
    blocks = _small_stacks(analysis) if has_panels else _stacks(points)
    for axis, courses in courses_of(analysis).items():
        blocks.append(Heading(text=f"Step time over the {shortened(axis, 40)} axis"))
        blocks += trend_blocks(analysis, courses, "step")
    blocks += _laws(analysis)
    return section_or("Where the time goes", blocks, NO_POINT)


def _stacks(points: Sequence[NumberedPoint]) -> list[Block]:
    caption = (
        "Additive phases fill the bar and sum to the step. Marks are hidden phases: work that overlap hides, "
        "and that becomes the bottleneck when it outgrows the bar. An arrow marks one beyond the scale. "
        "#: number in the table of points."
    )
    parts = [points[start : start + POINTS_PER_FIGURE] for start in range(0, len(points), POINTS_PER_FIGURE)]
    return [
        Picture(
            svg=stack_figure(part),
            alt=f"Shares of the step by phase for {counted(len(part), 'point')}.",
            caption=caption,
        )
        for part in parts
    ]


def _small_stacks(analysis: Analysis) -> list[Block]:
    """Stacks along the axis that comes first: one panel for each line, of as many lines as two pages hold."""
    axis, courses = next(iter(courses_of(analysis).items()))
    points = {point.record_id: point for point in analysis.points}
    names = setting_names(analysis.points)
    known = [
        PhasePanel(
            title=f"{line_label(trend, points)}; {names[course.setting]}"
            if len(courses) > 1
            else line_label(trend, points),
            points=tuple(points[record_id] for record_id in trend.record_ids),
        )
        for course in courses
        for trend in course.trends
    ]
    shown = thinned(known, _MOST_PANELS)
    left_out = thinned_words(len(shown), len(known), "line")
    caption = (
        "Additive phases sum to 100 % of the median step, whose length stands above its stack "
        f"(intervals and counts: table of points).{f' {left_out}.' if left_out else ''}"
    )
    parts = [shown[start : start + PANELS_PER_FIGURE] for start in range(0, len(shown), PANELS_PER_FIGURE)]
    return [
        Picture(
            svg=phase_panels(part, axis),
            alt=f"Shares of the step by phase over {shortened(axis, 40)}, {counted(len(part), 'line')}.",
            caption=caption,
        )
        for part in parts
    ]


def _laws(analysis: Analysis) -> list[Block]:
    if not analysis.trends:
        return []
    laws = tables.laws_table(
        analysis.trends, analysis.points, has_components=len(analysis.trends) <= _MOST_LAWS
    )
    none = Paragraph(text="No trend has enough points for a law of its step time.")
    return [
        Heading(text="Laws of the step time"),
        *((laws,) if laws.rows else (none,)),
        Heading(text="Checks of the trends"),
        tables.checks_table(analysis.trends, analysis.points),
    ]
