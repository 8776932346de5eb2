"""The section on energy: joules of a sample over each axis, what was counted, and each point's figures."""

from collections.abc import Sequence

from saih.domain.quantity import counted, with_si
from saih.domain.trend import RANKS_AXIS, Analysis, EnergyTrend, PointSummary
from saih.reports.document import Block, Bullets, Column, Heading, Paragraph, Picture, Section, Table
from saih.reports.energy_figure import energy_figure, energy_line
from saih.reports.energy_words import energy_claims, per_sample, trend_name
from saih.reports.grid import setting_of
from saih.reports.label import shortened

TITLE = "Energy"
_LINES_PER_FIGURE = 12
_MOST_FIGURES = 9
_MARKS = (
    "Marks: joules of a sample with the 95 % interval of the median over n runs of steps that were read by "
    "themselves; a mark without a bar has fewer than 6 of them, or a bar narrower than the mark. Curves: fit "
    "with its 90 % band, inside the measured range only; dotted lines join points without a law"
)
_METHOD = (
    "Energy is what counters of the hardware saw from the first measured step to the last, warm-up left out: "
    "of CPU packages and memory (RAPL) and of GPUs (NVML). Nothing is estimated; what no counter sees is "
    "missing from the sum, so only energies with the same coverage can be compared."
)


def energy_section(analysis: Analysis) -> Section | None:
    """Figures, sentences and values; the reason alone where no point has an energy; None without points."""
    claims = energy_claims(analysis)
    if not claims:
        return None
    known = [point for point in analysis.points if point.energy is not None]
    if not known:
        return Section(title=TITLE, blocks=(Bullets(items=claims),), is_short=True)
    blocks: list[Block] = [Bullets(items=claims), *_figures(analysis, known)]
    blocks += [Heading(text="Energy of each point"), _table(known), Paragraph(text=_METHOD, tone="small")]
    return Section(title=TITLE, blocks=tuple(blocks))


def _figures(analysis: Analysis, known: Sequence[PointSummary]) -> list[Block]:
    """One for each axis and setting."""
    points = {point.record_id: point for point in analysis.points}
    groups: dict[tuple[str, str], list[EnergyTrend]] = {}
    for trend in analysis.energy_trends:
        setting = setting_of(points[trend.record_ids[0]].point)
        # Along ranks the setting is what changes.
        groups.setdefault((trend.axis, "" if trend.axis == RANKS_AXIS else setting), []).append(trend)
    if not groups:
        words = f"No axis has 3 points with an energy ({len(known)} in all), so there is no curve."
        return [Paragraph(text=words)]
    blocks: list[Block] = []
    for (axis, setting), trends in sorted(groups.items())[:_MOST_FIGURES]:
        blocks.append(Heading(text=f"Over the {shortened(axis, 40)} axis"))
        blocks += [
            _picture(trends[start : start + _LINES_PER_FIGURE], points, setting)
            for start in range(0, len(trends), _LINES_PER_FIGURE)
        ]
    left = len(groups) - _MOST_FIGURES
    if left > 0:
        blocks.append(Paragraph(text=f"{counted(left, 'further setting')}: see the table.", tone="small"))
    return blocks


def _picture(trends: Sequence[EnergyTrend], points: dict[str, PointSummary], setting: str) -> Picture:
    lines = [
        energy_line(trend_name(trend, points), trend.sizes, trend.energies, trend.curve) for trend in trends
    ]
    count = sum(len(trend.energies) for trend in trends)
    coverages = sorted({energy.coverage for trend in trends for energy in trend.energies})
    covered = shortened(coverages[0], 300)
    if len(coverages) > 1:
        covered += f" (and {counted(len(coverages) - 1, 'other coverage')}, see above)"
    said = [f"n = {counted(count, 'point')}", f"Counted: {covered}", _MARKS, shortened(setting, 200)]
    return Picture(
        svg=energy_figure(lines, trends[0].size_label),
        alt=f"Energy of a sample over {shortened(trends[0].axis, 40)} size, {counted(len(lines), 'line')}.",
        caption=". ".join(part for part in said if part) + ".",
    )


def _table(known: Sequence[PointSummary]) -> Table:
    columns = (
        Column(title="point", weight=2.4),
        Column(title="ranks", weight=0.5, side="right"),
        Column(title="energy of a sample [interval]", weight=2.6, side="right"),
        Column(title="n", weight=0.4, side="right"),
        Column(title="all measured steps", weight=1.1, side="right"),
        Column(title="of which", weight=2.6),
        Column(title="source", weight=1.3),
    )
    rows = tuple(_row(point) for point in known)
    return Table(columns=columns, rows=rows, alt="Energy of each point with its interval and source")


def _row(point: PointSummary) -> tuple[str, ...]:
    energy = point.energy
    if energy is None:
        return ()
    parts = [f"{part} {with_si(joules, 'J')}" for part, joules in energy.joules_of.items()]
    rungs = [shortened(label, 40) for axis, label in sorted(point.labels.items()) if axis != RANKS_AXIS]
    return (
        ", ".join(rungs) or point.point.point_id,
        str(point.point.placement.num_ranks),
        per_sample(energy),
        str(energy.num_blocks),
        with_si(energy.joules, "J"),
        ", ".join(parts),
        shortened(energy.source, 40),
    )
