"""The report of one sweep as PDF: a page to read, then the evidence."""

from collections.abc import Sequence
from pathlib import Path

from saih.domain.ceiling import Ceilings
from saih.domain.trend import Analysis, PointSummary, Trend
from saih.reports import tables
from saih.reports.caution import cautions, confidence
from saih.reports.document import (
    Block,
    Bullets,
    Card,
    Cards,
    Document,
    Heading,
    Paragraph,
    Picture,
    Section,
    write,
)
from saih.reports.grid import Grid, grids, setting_of
from saih.reports.label import shortened
from saih.reports.map_figure import map_figure
from saih.reports.method import DEFINITIONS, METHOD
from saih.reports.quantity import counted, interval_with_si, with_si
from saih.reports.roofline_figure import roofline_figure
from saih.reports.stack_figure import POINTS_PER_FIGURE, NumberedPoint, stack_figure
from saih.reports.trend_figure import Line, share_figure, share_lines, step_figure, step_lines
from saih.reports.words import findings, line_name, outcome_words, range_words, system_words

_LINES_PER_FIGURE = 16
_NO_POINT = "No point was measured, so there is nothing to draw here."


def write_report(analysis: Analysis, path: Path) -> Path:
    """Write the PDF report of ``analysis`` to ``path``, replacing it as a whole; gives ``path``.

    The same analysis gives the same bytes.

    Raises:
        SaihError: when the file cannot be written.
    """
    return write(trend_document(analysis), path)


def trend_document(analysis: Analysis) -> Document:
    """The content of the report."""
    points = tables.lead(analysis.points)
    return Document(
        title=f"AI performance trend: {shortened(analysis.sweep_name, 100)}",
        subtitle=system_words(analysis.environment),
        description=f"{outcome_words(analysis)}; share of peak {range_words(analysis.points)}",
        sections=(
            _summary(analysis),
            _trends(analysis),
            _components(analysis, points),
            _rooflines(analysis, points),
            _points(points),
            _unmeasured(analysis),
            _background(analysis),
        ),
    )


def _summary(analysis: Analysis) -> Section:
    first = grids(analysis)[:1]
    return Section(
        title="Summary",
        blocks=(
            Cards(cards=_cards(analysis)),
            Heading(text="Findings"),
            Bullets(items=findings(analysis)),
            *(_map(grid) for grid in first),
            Heading(text="How sure this is"),
            Bullets(items=confidence(analysis)),
        ),
    )


def _cards(analysis: Analysis) -> tuple[Card, ...]:
    has_share = any(point.share_of_peak is not None for point in analysis.points)
    limits = [point.diagnosis.limit for point in analysis.points]
    most = max(sorted(set(limits)), key=limits.count, default=None)
    return (
        Card(
            label="share of measured peak"
            if has_share or not analysis.points
            else "rate (no ceiling measured)",
            value=range_words(analysis.points),
            note="lowest to highest of the measured points",
        ),
        Card(
            label="points measured",
            value=f"{len(analysis.points)} of {analysis.num_planned}",
            note=f"{len(analysis.failed)} failed, {len(analysis.dropped)} dropped before the run",
        ),
        Card(
            label="most often held back by",
            value=str(most) if most else "unknown",
            note=f"{limits.count(most)} of {counted(len(limits), 'point')}" if most else "no point measured",
        ),
    )


def _map(grid: Grid) -> Picture:
    return Picture(
        svg=map_figure(grid),
        alt=f"Map of {len(grid.data)} data rungs by {len(grid.model)} model rungs: share of peak and "
        "verdict.",
        caption=f"Share of measured peak (or rate, where no ceiling was measured) and what holds the point "
        f"back. Brighter is higher. Slashes: failed; dots: dropped because it cannot fit. {grid.setting}.",
    )


def _trends(analysis: Analysis) -> Section:
    blocks: list[Block] = []
    for axis, setting, group in _groups(analysis):
        blocks.append(Heading(text=f"Over the {shortened(axis, 40)} axis"))
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
    if not blocks:
        blocks.append(Paragraph(text=_no_trend(analysis), tone="loud"))
    return Section(title="How performance moves as the problem grows", blocks=tuple(blocks))


def _no_trend(analysis: Analysis) -> str:
    if not analysis.points:
        return _NO_POINT
    return f"No trend: {counted(len(analysis.points), 'measured point')}, and no axis with two sizes or more."


def _groups(analysis: Analysis) -> list[tuple[str, str, list[Trend]]]:
    """Trends that share an axis and a setting, data before model."""
    settings = {point.record_id: setting_of(point.point) for point in analysis.points}
    groups: dict[tuple[str, str], list[Trend]] = {}
    for trend in analysis.trends:
        setting = settings.get(trend.record_ids[0], "") if trend.record_ids else ""
        groups.setdefault((trend.axis, setting), []).append(trend)
    return [(axis, setting, groups[axis, setting]) for axis, setting in sorted(groups)]


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


def _components(analysis: Analysis, points: Sequence[NumberedPoint]) -> Section:
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
        blocks.append(Heading(text=f"Step time over the {shortened(axis, 40)} axis"))
        blocks += [
            Picture(
                svg=step_figure(part, group[0].size_label),
                alt=f"Median step over {axis} size, {counted(len(part), 'line')}.",
                caption=f"{_counts(group)}; bars, bands and dashes as before. {setting}.",
            )
            for part in _parts(lines)
        ]
    blocks += _laws(analysis)
    return Section(
        title="Where the time goes", blocks=tuple(blocks) or (Paragraph(text=_NO_POINT, tone="loud"),)
    )


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


def _rooflines(analysis: Analysis, points: Sequence[NumberedPoint]) -> Section:
    blocks: list[Block] = []
    for ceilings in analysis.ceilings:
        here = [point for point in points if point.summary.point.placement.label == ceilings.placement_label]
        precisions = sorted({point.summary.point.precision for point in here}) or ["float32"]
        blocks.append(Heading(text=ceilings.placement_label))
        for precision in precisions:
            shown = [point for point in here if point.summary.point.precision == precision]
            caption = (
                f"{counted(len(shown), 'point')} ({precision}) with 95 % intervals under the ceilings "
                "measured at the same placement (grey bands: intervals). Intensity counts the least "
                "traffic to memory."
            )
            alt = f"Roofline with {counted(len(shown), 'point')}."
            blocks.append(Picture(svg=roofline_figure(shown, ceilings, precision), alt=alt, caption=caption))
        blocks.append(Heading(text="Ceilings"))
        blocks.append(tables.ceilings_table(ceilings))
        blocks.append(Paragraph(text=f"Measured {shortened(ceilings.measured_utc, 40)}.", tone="small"))
    words = "No ceiling was measured, so there is no roofline, and no point has a share of peak."
    return Section(
        title="Roofline and ceilings", blocks=tuple(blocks) or (Paragraph(text=words, tone="loud"),)
    )


def _points(points: Sequence[NumberedPoint]) -> Section:
    blocks: tuple[Block, ...] = (Paragraph(text=_NO_POINT, tone="loud"),)
    if points:
        blocks = (
            tables.points_table(points),
            Heading(text="Sizes and evidence"),
            tables.sizes_table(points),
        )
    return Section(title="All measured points", blocks=blocks, is_landscape=True)


def _unmeasured(analysis: Analysis) -> Section:
    blocks: list[Block] = [Paragraph(text="Every planned point was measured and none was dropped.")]
    table = tables.unmeasured_table(analysis)
    if table.rows:
        words = (
            "A failure is data: it shows the edge of what fits. Nothing below is part of any average or fit."
        )
        blocks = [Paragraph(text=words), table]
    for grid in grids(analysis)[1:]:
        blocks += [Heading(text=f"Map: {grid.setting}"), _map(grid)]
    return Section(title="Points without a measurement", blocks=tuple(blocks))


def _background(analysis: Analysis) -> Section:
    return Section(
        title="Environment, method, definitions",
        blocks=(
            Heading(text="What not to conclude"),
            Bullets(items=cautions(analysis)),
            Heading(text="Method in brief"),
            Bullets(items=METHOD),
            Heading(text="Definitions"),
            Bullets(items=DEFINITIONS),
            Heading(text="Environment"),
            tables.environment_table(analysis.environment),
        ),
    )
