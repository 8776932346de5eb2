"""The section on turns: where along an axis another limit takes over, and between which sizes that lies."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from saih.domain.quantity import counted, percent, with_si
from saih.domain.trend import Analysis, Limit, PointSummary, Trend
from saih.reports.document import Block, Column, Paragraph, Section, Table
from saih.reports.growth_sections import NO_POINT
from saih.reports.label import shortened
from saih.reports.words import line_name

_MOST_ROWS = 40
_NAME = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Two neighbours on a trend with different verdicts."""

    trend: Trend
    before: PointSummary
    after: PointSummary


def turns_of(analysis: Analysis) -> tuple[Turn, ...]:
    """Every turn of every trend, those over ranks included."""
    points = {point.record_id: point for point in analysis.points}
    return tuple(
        Turn(trend=trend, before=before, after=after)
        for trend in analysis.trends
        for before, after in pairwise(points[one] for one in trend.record_ids if one in points)
        if before.diagnosis.limit is not after.diagnosis.limit
    )


def turn_section(analysis: Analysis) -> Section:
    """One row for each turn; of very many, one for each pair of limits on an axis."""
    found = turns_of(analysis)
    title = "Where the limit changes"
    if not found:
        words = "No verdict changes along any axis." if analysis.trends else "No axis has two measured sizes."
        said = words if analysis.points else NO_POINT
        return Section(title=title, blocks=(Paragraph(text=said),), is_short=True)
    table = _table(found, analysis) if len(found) <= _MOST_ROWS else _summary(found)
    words = (
        f"{counted(len(found), 'change')} of verdict on {counted(len(analysis.trends), 'trend')}. Nothing "
        "was measured between the two sizes of a row: the change lies somewhere inside that interval. White "
        "rings mark these places in the trend figures. A percentage is the limit's own share of the step."
    )
    blocks: tuple[Block, ...] = (table, Paragraph(text=words, tone="small"))
    return Section(title=title, blocks=blocks, is_short=True)


def _table(found: Sequence[Turn], analysis: Analysis) -> Table:
    columns = (
        Column(title="axis", weight=0.6),
        Column(title="fixed", weight=2.2),
        Column(title="from", weight=1.6),
        Column(title="to", weight=1.6),
        Column(title="not below (size)", weight=2.0),
        Column(title="not above (size)", weight=2.0),
    )
    rows = tuple(
        (
            shortened(turn.trend.axis, 20),
            shortened(line_name(turn.trend, analysis.points), _NAME),
            _verdict(turn.before),
            _verdict(turn.after),
            _place(turn.trend, turn.before),
            _place(turn.trend, turn.after),
        )
        for turn in found
    )
    return Table(columns=columns, rows=rows, alt="Changes of verdict along the axes")


def _verdict(point: PointSummary) -> str:
    """The limit with its own share of the step, where it has one."""
    limit = point.diagnosis.limit
    share = point.diagnosis.shares.get(limit)
    return f"{limit} ({percent(share.value)})" if share is not None else str(limit)


def _place(trend: Trend, point: PointSummary) -> str:
    size = point.axis_sizes.get(trend.axis)
    label = shortened(point.labels.get(trend.axis, ""), _NAME)
    return f"{label} ({with_si(size, '')})" if size is not None else label


def _summary(found: Sequence[Turn]) -> Table:
    columns = (
        Column(title="axis", weight=0.6),
        Column(title="from", weight=1.3),
        Column(title="to", weight=1.3),
        Column(title="changes", weight=0.7, side="right"),
        Column(title="smallest interval of sizes begins at", weight=2.2),
        Column(title="largest ends at", weight=2.2),
        Column(title="most often between", weight=2.6),
    )
    groups: dict[tuple[str, Limit, Limit], list[Turn]] = {}
    for turn in found:
        key = (turn.trend.axis, turn.before.diagnosis.limit, turn.after.diagnosis.limit)
        groups.setdefault(key, []).append(turn)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1], item[0][2]))
    rows = tuple(_summary_row(*key, group) for key, group in ordered)
    return Table(columns=columns, rows=rows, alt="Changes of verdict by axis and pair of limits")


def _summary_row(axis: str, old: Limit, new: Limit, group: Sequence[Turn]) -> tuple[str, ...]:
    first = min(group, key=lambda turn: turn.before.axis_sizes.get(axis, 0.0))
    last = max(group, key=lambda turn: turn.after.axis_sizes.get(axis, 0.0))
    between = Counter(
        f"{_label(turn.before.labels, axis)} and {_label(turn.after.labels, axis)}" for turn in group
    )
    words, times = between.most_common(1)[0]
    return (
        shortened(axis, 20),
        str(old),
        str(new),
        str(len(group)),
        _place(first.trend, first.before),
        _place(last.trend, last.after),
        f"{words} ({times})",
    )


def _label(labels: Mapping[str, str], axis: str) -> str:
    return shortened(labels.get(axis, ""), _NAME)
