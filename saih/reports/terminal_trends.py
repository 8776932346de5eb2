"""Trends for a terminal: one plot for each axis, and the laws with the checks that failed or are open."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from saih.domain.quantity import counted, percent, with_si_short
from saih.domain.trend import RANKS_AXIS, Analysis, Check, PointSummary, Trend
from saih.reports.takeover_words import crossings_of, peer_words
from saih.reports.terminal_plot import MARKS, SEVERAL, Frame, Series, plot_lines
from saih.reports.terminal_table import table_lines
from saih.reports.terminal_text import cut, wrapped
from saih.reports.words import line_name

_MAX_LINES, _HEIGHT, _MAX_WIDTH, _LABEL = 6, 13, 110, 40
_MAX_LAWS, _MAX_CHECKS, _FEW_TRENDS = 16, 8, 3
_MAX_CROSSINGS = 6
_MARKS = {True: "ok", False: "FAILED", None: "undecided"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A trend that has values to plot."""

    trend: Trend
    name: str
    series: Series


def plots_lines(analysis: Analysis, width: int) -> list[str]:
    """For each axis the share of the measured peak over the size, or the rate where no peak was measured."""
    lines: list[str] = []
    for axis in dict.fromkeys(trend.axis for trend in analysis.trends):
        trends = [trend for trend in analysis.trends if trend.axis == axis]
        lines += ["", *_plot(axis, trends, analysis.points, width)]
    return lines[1:]


def laws_lines(analysis: Analysis, width: int) -> list[str]:
    """The law of the step for each trend, its phases where trends are few, then checks that are not ok."""
    trends = analysis.trends
    lines: list[str] = []
    for trend in trends[:_MAX_LAWS]:
        where = f"along {trend.axis} at {line_name(trend, analysis.points)}"
        law = trend.total.text if trend.total is not None else "no law"
        lines += wrapped(f"{where}: step = {law}", width, rest="    ")
        for fit in trend.components if len(trends) <= _FEW_TRENDS else ():
            lines += wrapped(f"{str(fit.phase).replace('_', ' ')}: {fit.text}", width, "  ", "    ")
        for peer in trend.peers if len(trends) <= _FEW_TRENDS else ():
            lines += wrapped(f"{peer.name}: {peer_words(trend, peer)}", width, "  ", "    ")
    if len(trends) > _FEW_TRENDS:
        lines.append("(the laws of the phases are in the report and in --json)")
    if len(trends) > _MAX_LAWS:
        lines.append(f"... and {len(trends) - _MAX_LAWS} more trends (--json lists all)")
    return [*lines, *_crossings(analysis, width), *_checks(trends, width)]


def _crossings(analysis: Analysis, width: int) -> list[str]:
    """Where another part of the step becomes the longest, the surest first."""
    found = sorted(crossings_of(analysis), key=lambda one: one[1].size.high / one[1].size.low)
    lines: list[str] = []
    for trend, crossing in found[:_MAX_CROSSINGS]:
        where = f"along {trend.axis} at {line_name(trend, analysis.points)}"
        lines += wrapped(f"{where}: {crossing.statement}", width, rest="    ")
    if len(found) > _MAX_CROSSINGS:
        lines.append(f"... and {len(found) - _MAX_CROSSINGS} more crossings (--json lists all)")
    return ["", *lines] if lines else []


def _plot(axis: str, trends: Sequence[Trend], points: Sequence[PointSummary], width: int) -> list[str]:
    has_shares = any(share is not None for trend in trends for share in trend.share_of_peak)
    lines = _chosen(_of_one_placement(trends, points), points, has_shares=has_shares)
    frame = Frame(
        width=min(width, _MAX_WIDTH),
        height=_HEIGHT,
        size_words=lambda size: with_si_short(size, "").replace("\N{NO-BREAK SPACE}", " "),
        value_words=(lambda value: percent(value).replace("\N{NO-BREAK SPACE}", " "))
        if has_shares
        else (lambda value: with_si_short(value, "FLOP/s").replace("\N{NO-BREAK SPACE}", " ")),
    )
    drawn = plot_lines([line.series for line in lines], frame)
    measure = "Share of the measured peak" if has_shares else "Rate (no peak was measured)"
    unit = "number of ranks" if axis == RANKS_AXIS else trends[0].size_label
    title = f"{measure} over {axis} ({unit}, logarithmic), with intervals as bars"
    if not drawn:
        return wrapped(f"{title}: nothing to plot", width)
    hidden = len(trends) - len(lines)
    more = f"; {counted(hidden, 'more line')} not drawn" if hidden else ""
    key = "; ".join(f"{line.series.mark} {cut(line.name, _LABEL)}" for line in lines)
    several = f"; {SEVERAL} several" if any(SEVERAL in row for row in drawn) else ""
    return [*wrapped(title, width), *drawn, *wrapped(key + several + more, width, rest="  ")]


def _of_one_placement(trends: Sequence[Trend], points: Sequence[PointSummary]) -> Sequence[Trend]:
    """Where there are too many lines, those of the first placement: others lie close to them."""
    placements = {point.record_id: point.point.placement for point in points}
    first = placements.get(trends[0].record_ids[0]) if trends[0].record_ids else None
    if len(trends) <= _MAX_LINES or trends[0].axis == RANKS_AXIS or first is None:
        return trends
    return [trend for trend in trends if placements.get(trend.record_ids[0]) == first]


def _chosen(trends: Sequence[Trend], points: Sequence[PointSummary], *, has_shares: bool) -> list[_Line]:
    """As many trends as can be told apart, from the first to the last, each with a letter."""
    count = min(len(trends), _MAX_LINES)
    spread = [trends[number * (len(trends) - 1) // max(count - 1, 1)] for number in range(count)]
    by_record = {point.record_id: point for point in points}
    return [
        _Line(
            trend=trend,
            name=line_name(trend, points),
            series=_series(mark, trend, by_record, has_shares=has_shares),
        )
        for mark, trend in zip(MARKS, spread, strict=False)
    ]


def _series(mark: str, trend: Trend, points: dict[str, PointSummary], *, has_shares: bool) -> Series:
    rates = [points[record_id].flops_per_s if record_id in points else None for record_id in trend.record_ids]
    values = trend.share_of_peak if has_shares else rates
    known = [(size, value) for size, value in zip(trend.sizes, values, strict=True) if value is not None]
    return Series(mark=mark, sizes=tuple(one[0] for one in known), values=tuple(one[1] for one in known))


def _checks(trends: Sequence[Trend], width: int) -> list[str]:
    """How many checks passed, and what the others say, failed ones first; what several say stands once."""
    checks = [check for trend in trends for check in trend.checks]
    if not checks:
        return []
    rows = [(_MARKS[passed], str(sum(check.passed is passed for check in checks))) for passed in _MARKS]
    said: dict[str, list[Check]] = {}
    for check in checks:
        if check.passed is not True:
            said.setdefault(re.sub(r"[0-9.]+( [kMGTPE])?", "N", check.statement), []).append(check)
    groups = sorted(said.values(), key=lambda group: group[0].passed is not False)
    lines = ["", *table_lines(("checks of the trends", "number"), rows)]
    for group in groups[:_MAX_CHECKS]:
        alike = f" (and {len(group) - 1} alike)" if len(group) > 1 else ""
        lines += wrapped(f"[{_MARKS[group[0].passed]}] {group[0].statement}{alike}", width, rest="  ")
    if len(groups) > _MAX_CHECKS:
        lines.append(f"... and {len(groups) - _MAX_CHECKS} more kinds (--json lists all)")
    return lines
