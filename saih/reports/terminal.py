"""An analysis as lines for a terminal: no colours, no markup, nothing that could steer the terminal."""

import textwrap
from collections.abc import Sequence

from saih.domain.quantity import NO_BREAK, counted, duration, factor, percent, share, with_si
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import RANKS_AXIS, Analysis, FailedPoint, PointSummary, ScalingRung
from saih.reports.caution import first_warnings
from saih.reports.label import plain, shortened
from saih.reports.rung_labels import told_apart
from saih.reports.scaling_table import exposed_words, imbalance_words
from saih.reports.words import findings, line_words, range_words, system_words

_TITLES = ("#", "data", "model", "median step [interval]", "n", "share of peak or rate", "held back by")
_WIDEST = (4, 22, 22, 30, 5, 26, 20)
_RIGHT = (0, 3, 4, 5)
_SCALING_TITLES = (
    "ranks",
    "median step [interval]",
    "samples/s",
    "speed-up [interval]",
    "efficiency [interval]",
    "of peak",
    "exposed",
    "slowest/mean",
    "held back by",
)
_SCALING_RIGHT = (0, 1, 2, 3, 4, 5, 6, 7)


def summary_lines(analysis: Analysis, width: int = 100) -> list[str]:
    """Headline, findings, warnings, the table of points, and failures; text is wrapped at ``width``."""
    analysis, shared = told_apart(analysis)
    same = [f"Same at all points: {', '.join(shared)}."] if shared else []
    lines = [
        f"{shortened(analysis.sweep_name, width)}: share of measured peak {range_words(analysis.points)}"
        if any(point.share_of_peak is not None for point in analysis.points)
        else f"{shortened(analysis.sweep_name, width)}: {range_words(analysis.points)}",
        shortened(system_words(analysis.environment), width),
        "",
        *_items((*(claim.text for claim in findings(analysis)), *same), width),
    ]
    if analysis.warnings:
        lines += ["", "Warnings", *_items(first_warnings(analysis.warnings), width)]
    if analysis.points:
        lines += ["", *_table(analysis.points)]
    lines += _unmeasured(analysis, width)
    return [_ascii_spaces(line).rstrip() for line in lines]


def scaling_lines(analysis: Analysis, width: int = 100) -> list[str]:
    """For each line over ranks its table and findings; nothing for a sweep without such an axis."""
    analysis, _ = told_apart(analysis)
    lines: list[str] = []
    for line in analysis.scaling:
        title = f"over ranks, {line.scaling}, {line_words(line, analysis)} ({line.setting}):"
        rows = [_SCALING_TITLES, *(_scaling_row(rung) for rung in line.rungs)]
        lines += ["", shortened(title, 2 * width), *_aligned(rows, _SCALING_RIGHT)]
        lines += _items((*line.findings, *(f"not measured: {text}" for text in line.unmeasured)), width)
    return [_ascii_spaces(line).rstrip() for line in lines[1:]]


def _items(sentences: Sequence[str], width: int) -> list[str]:
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(plain(sentence), width, initial_indent="- ", subsequent_indent="  ")
    ]


def _table(points: Sequence[PointSummary]) -> list[str]:
    """The table of points; with a column of ranks where they differ."""
    rows = [_TITLES, *(_row(index + 1, point) for index, point in enumerate(points))]
    if any(RANKS_AXIS in point.labels for point in points):
        ranks = [RANKS_AXIS, *(str(point.point.placement.num_ranks) for point in points)]
        rows = [(*row[:3], count, *row[3:]) for row, count in zip(rows, ranks, strict=True)]
        return _aligned(rows, (0, 3, 4, 5, 6))
    return _aligned(rows, _RIGHT)


def _aligned(rows: Sequence[tuple[str, ...]], right: Sequence[int]) -> list[str]:
    """Columns as wide as their widest cell, a rule below the first row."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    made = [
        "  ".join(
            cell.rjust(widths[column]) if column in right else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        )
        for row in rows
    ]
    return [made[0], "-" * max(len(line.rstrip()) for line in made), *made[1:]]


def _scaling_row(rung: ScalingRung) -> tuple[str, ...]:
    return (
        str(rung.num_ranks),
        duration(rung.step_ns),
        with_si(rung.samples_per_s.value, ""),
        factor(rung.speedup),
        share(rung.efficiency),
        percent(rung.share_of_peak.value) if rung.share_of_peak else "no ceiling",
        exposed_words(rung),
        imbalance_words(rung),
        str(rung.limit),
    )


def _row(number: int, point: PointSummary) -> tuple[str, ...]:
    measured = share(point.share_of_peak) if point.share_of_peak else ""
    cells = (
        str(number),
        point.labels.get("data", "not scaled"),
        point.labels.get("model", "not scaled"),
        duration(point.step_ns),
        str(point.step_ns.count),
        measured or with_si(point.flops_per_s.value, "FLOP/s"),
        str(point.diagnosis.limit),
    )
    return tuple(shortened(cell, limit) for cell, limit in zip(cells, _WIDEST, strict=True))


def _unmeasured(analysis: Analysis, width: int) -> list[str]:
    failed = [
        f"{_rungs(point)}: {str(point.outcome).replace('_', ' ')} "
        f"after {counted(point.num_attempts, 'attempt')}: {point.reason}"
        for point in analysis.failed
    ]
    dropped = [f"{_rungs(point)}: {point.reason}" for point in analysis.dropped]
    lines: list[str] = []
    for title, reasons in (("Failed", failed), ("Dropped before the run", dropped)):
        if reasons:
            lines += ["", title, *_items(reasons, width)]
    return lines


def _rungs(point: FailedPoint | DroppedPoint) -> str:
    return ", ".join(point.labels[axis] for axis in sorted(point.labels)) or point.point.point_id


def _ascii_spaces(line: str) -> str:
    return line.replace(NO_BREAK, " ")
