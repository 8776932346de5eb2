"""The sections on growth: how the share of peak and the step time move along the axes of a sweep."""

from collections.abc import Sequence

from saih.domain.ceiling import Ceilings
from saih.domain.quantity import counted, interval_with_si, with_si
from saih.domain.trend import RANKS_AXIS, Analysis, PointSummary, Trend
from saih.reports import tables
from saih.reports.document import Block, Heading, Paragraph, Picture, Section, section_or
from saih.reports.grid import setting_of
from saih.reports.label import shortened
from saih.reports.stack_figure import POINTS_PER_FIGURE, NumberedPoint, stack_figure
from saih.reports.trend_figure import Line, share_figure, share_lines, step_figure, step_lines
from saih.reports.words import line_name

NO_POINT = "No point was measured, so there is nothing to draw here."
_LINES_PER_FIGURE = 16


def growth_section(analysis: Analysis) -> Section:
    """Share of peak over each axis."""
    blocks: list[Block] = []
    for axis, setting, group in _groups(analysis):
        blocks.append(Heading(text=f"Over the {shortened(axis, 40)} axis{_where(analysis, setting)}"))
        labels = [line_name(trend, analysis.points) for trend in group]
        lines = share_lines(group, labels)
        caption = (
            f"{_counts(group)}. Marks: medians with their 95 % intervals. Curves: fit with its 90 % "
            "prediction band; dashed where extrapolated; dotted lines join points too few for a law. "
            f"{setting}."
        )
        figures = [
            share_figure(part, group[0].size_label, _ceiling_words(analysis, setting))
            for part in _parts(lines)
        ]
        alt = f"Share of peak over {axis} size, {counted(len(lines), 'line')}."
        blocks += [Picture(svg=svg, alt=alt, caption=caption) for svg in figures]
        if not figures:
            blocks.append(
                Paragraph(text="No share of peak is known along this axis: no ceiling was measured.")
            )
    return section_or("How performance moves as the problem grows", blocks, _no_trend(analysis))


def time_section(analysis: Analysis, points: Sequence[NumberedPoint]) -> Section:
    """Phases of each point, step time over each axis, laws and checks."""
    blocks: list[Block] = []
    for start in range(0, len(points), POINTS_PER_FIGURE):
        part = points[start : start + POINTS_PER_FIGURE]
        blocks.append(
            Picture(
                svg=stack_figure(part),
                alt=f"Shares of the step by phase for {counted(len(part), 'point')}.",
                caption="Additive phases fill the bar and sum to the step. Marks are hidden phases: work "
                "that overlap hides, and that becomes the bottleneck when it outgrows the bar. An "
                "arrow marks one beyond the scale. #: number in the table of points.",
            )
        )
    for axis, setting, group in _groups(analysis):
        lines = step_lines(group, [line_name(trend, analysis.points) for trend in group])
        blocks.append(
            Heading(text=f"Step time over the {shortened(axis, 40)} axis{_where(analysis, setting)}")
        )
        blocks += [
            Picture(
                svg=step_figure(part, group[0].size_label),
                alt=f"Median step over {axis} size, {counted(len(part), 'line')}.",
                caption=f"{_counts(group)}; marks, bands and dashes as before.",
            )
            for part in _parts(lines)
        ]
    blocks += _laws(analysis)
    return section_or("Where the time goes", blocks, NO_POINT)


def _no_trend(analysis: Analysis) -> str:
    if not analysis.points:
        return NO_POINT
    return f"No trend: {counted(len(analysis.points), 'measured point')}, and no axis with two sizes or more."


def _groups(analysis: Analysis) -> list[tuple[str, str, list[Trend]]]:
    """Trends that share an axis and a setting, data before model; those over ranks have their own section."""
    settings = {point.record_id: setting_of(point.point) for point in analysis.points}
    groups: dict[tuple[str, str], list[Trend]] = {}
    for trend in analysis.trends:
        if trend.axis == RANKS_AXIS:
            continue
        setting = settings.get(trend.record_ids[0], "") if trend.record_ids else ""
        groups.setdefault((trend.axis, setting), []).append(trend)
    return [(axis, setting, groups[axis, setting]) for axis, setting in sorted(groups)]


def _where(analysis: Analysis, setting: str) -> str:
    """The setting for a heading, where the sweep has several."""
    return f": {setting}" if len({setting_of(point.point) for point in analysis.points}) > 1 else ""


def _parts(lines: Sequence[Line]) -> list[Sequence[Line]]:
    return [lines[start : start + _LINES_PER_FIGURE] for start in range(0, len(lines), _LINES_PER_FIGURE)]


def _counts(group: Sequence[Trend]) -> str:
    num_points = sum(len(trend.sizes) for trend in group)
    steps = sorted(step.count for trend in group for step in trend.step_ns)
    between = (
        f"{steps[0]} to {steps[-1]}" if steps and steps[0] != steps[-1] else f"{steps[0] if steps else 0}"
    )
    return f"n = {counted(num_points, 'point')}, {between} steps each"


def _ceiling_words(analysis: Analysis, setting: str) -> str:
    for point in analysis.points:
        found = _ceilings_of(analysis, point)
        if setting_of(point.point) == setting and found:
            precision = point.point.precision
            peak = found.peak_flops_per_s(precision)
            vendor = found.vendor_flops_per_s.get(precision)
            measured = f"100 % = measured peak, {interval_with_si(peak, 'FLOP/s')}" if peak else "no peak"
            known = with_si(vendor, "FLOP/s") if vendor else "unknown"
            return f"{measured}; vendor's peak {known} ({precision})"
    return "no ceiling was measured"


def _ceilings_of(analysis: Analysis, point: PointSummary) -> Ceilings | None:
    label = point.point.placement.label
    return next((found for found in analysis.ceilings if found.placement_label == label), None)


def _laws(analysis: Analysis) -> list[Block]:
    if not analysis.trends:
        return []
    laws = tables.laws_table(analysis.trends, analysis.points)
    none = Paragraph(text="No trend has enough points for a law of its step time.")
    return [
        Heading(text="Laws of the step time"),
        *((laws,) if laws.rows else (none,)),
        Heading(text="Checks of the trends"),
        tables.checks_table(analysis.trends, analysis.points),
    ]
