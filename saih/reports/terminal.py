"""Parts of an analysis as lines for a terminal: no colours, no markup, nothing that could steer one."""

from collections.abc import Sequence

from saih.domain.claim import Claim
from saih.domain.quantity import counted, duration, factor, percent, share, with_si
from saih.domain.sweep import DroppedPoint
from saih.domain.trend import EXECUTION_LABEL, RANKS_AXIS, Analysis, FailedPoint, PointSummary, ScalingRung
from saih.reports.caution import first_warnings
from saih.reports.data_label import data_label
from saih.reports.execution_words import gain_claims
from saih.reports.merit import range_words
from saih.reports.rung_labels import told_apart
from saih.reports.scaling_table import exposed_words, imbalance_words
from saih.reports.takeover_words import takeover_claims
from saih.reports.terminal_map import LETTERS
from saih.reports.terminal_table import table_lines
from saih.reports.terminal_text import columns_of, cut, visible, wrapped
from saih.reports.words import findings, line_words, system_words

_LABEL = 22
_EXECUTION = 18
_WIDE = 92
"""From here on verdicts have room in words; below, they are the letters of the map."""
_MAX_POINTS, _FIRST_POINTS = 60, 50
_MAX_UNMEASURED = 20
_MAX_SCALING = 4
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


def head_lines(analysis: Analysis, width: int) -> list[str]:
    """Headline, findings and warnings."""
    analysis, shared = told_apart(analysis)
    same = [f"Same at all points: {', '.join(shared)}."] if shared else []
    has_share = any(point.share_of_peak is not None for point in analysis.points)
    headline = f"{'share of measured peak ' if has_share else ''}{range_words(analysis.points)}"
    name = cut(analysis.sweep_name, max(width - columns_of(headline) - 2, 16))
    lines = [
        f"{name}: {visible(headline)}",
        *wrapped(system_words(analysis.environment), width),
        "",
        *_items((*(claim.text for claim in _claims(analysis)), *same), width),
    ]
    if analysis.warnings:
        lines += ["", "Warnings", *_items(first_warnings(analysis.warnings), width)]
    return lines


def _claims(analysis: Analysis) -> tuple[Claim, ...]:
    return (*findings(analysis), *gain_claims(analysis), *takeover_claims(analysis))


def points_lines(analysis: Analysis, width: int) -> list[str]:
    """The table of points, numbered as in the report; of many the first and the last."""
    analysis, _ = told_apart(analysis)
    points = analysis.points
    if not points:
        return []
    has_ranks = any(RANKS_AXIS in point.labels for point in points)
    has_executions = any(EXECUTION_LABEL in point.labels for point in points)
    has_words = width >= _WIDE + (8 if has_ranks else 0) + (_EXECUTION if has_executions else 0)
    peak = "share of peak" if all(point.share_of_peak for point in points) else "share of peak or rate"
    titles = ["#", "data", "model", "median step", "n", peak, "held back by" if has_words else "by"]
    if has_ranks:
        titles.insert(3, RANKS_AXIS)
    if has_executions:
        titles.insert(3, EXECUTION_LABEL)
    numbered = list(enumerate(points, start=1))
    hidden = len(points) - _MAX_POINTS
    if hidden > 0:
        numbered = numbered[:_FIRST_POINTS] + numbered[_FIRST_POINTS - _MAX_POINTS :]
    rows = [_row(number, point, has_words=has_words) for number, point in numbered]
    lines = table_lines(titles, rows, width=width, cuttable=((1, 2),), num_keys=4 if has_executions else 3)
    tail = [f"({counted(hidden, 'point')} between them not shown; --json lists all)"] if hidden > 0 else []
    return [*lines, *tail]


def unmeasured_lines(analysis: Analysis, width: int) -> list[str]:
    """Failed and dropped points with their reasons; nothing where there are none."""
    analysis, _ = told_apart(analysis)
    failed = [
        f"{_rungs(point)}: {str(point.outcome).replace('_', ' ')} "
        f"after {counted(point.num_attempts, 'attempt')}: {point.reason}"
        for point in analysis.failed
    ]
    dropped = [f"{_rungs(point)}: {point.reason}" for point in analysis.dropped]
    lines: list[str] = []
    for title, reasons in (("Failed", failed), ("Dropped before the run", dropped)):
        if reasons:
            hidden = len(reasons) - _MAX_UNMEASURED
            lines += ["", title, *_items(reasons[:_MAX_UNMEASURED], width)]
            lines += [f"  ... and {hidden} more (--json lists all)"] if hidden > 0 else []
    return lines[1:]


def scaling_lines(analysis: Analysis, width: int) -> list[str]:
    """For each line over ranks its table and findings; nothing for a sweep without such an axis."""
    analysis, _ = told_apart(analysis)
    lines: list[str] = []
    ordered = sorted(analysis.scaling, key=lambda line: line.rungs[-1].efficiency.value)
    hidden = len(ordered) - _MAX_SCALING
    shown = (
        analysis.scaling if hidden <= 0 else (*ordered[: _MAX_SCALING // 2], *ordered[-_MAX_SCALING // 2 :])
    )
    for line in shown:
        title = f"over ranks, {line.scaling}, {line_words(line, analysis)} ({line.setting}):"
        rows = [_scaling_row(rung) for rung in line.rungs]
        lines += ["", *wrapped(title, width), *table_lines(_SCALING_TITLES, rows, width=width)]
        lines += _items((*line.findings, *(f"not measured: {text}" for text in line.unmeasured)), width)
    if hidden > 0:
        more = f"{counted(hidden, 'more line')} of ranks, neither the best nor the worst (--json lists all)"
        lines += ["", *wrapped(f"... and {more}", width)]
    return lines[1:]


def _items(sentences: Sequence[str], width: int) -> list[str]:
    return [line for sentence in sentences for line in wrapped(sentence, width, "- ", "  ")]


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


def _row(number: int, point: PointSummary, *, has_words: bool) -> tuple[str, ...]:
    measured = (
        share(point.share_of_peak) if point.share_of_peak else with_si(point.flops_per_s.value, "FLOP/s")
    )
    limit = point.diagnosis.limit
    return (
        str(number),
        cut(data_label(point.labels, "not scaled"), _LABEL),
        cut(point.labels.get("model", "not scaled"), _LABEL),
        *((cut(point.labels[EXECUTION_LABEL], _EXECUTION),) if EXECUTION_LABEL in point.labels else ()),
        *((str(point.point.placement.num_ranks),) if RANKS_AXIS in point.labels else ()),
        duration(point.step_ns),
        str(point.step_ns.count),
        measured,
        str(limit) if has_words else LETTERS[limit],
    )


def _rungs(point: FailedPoint | DroppedPoint) -> str:
    return ", ".join(point.labels[axis] for axis in sorted(point.labels)) or point.point.point_id
