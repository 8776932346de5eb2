"""Foreign series for a terminal: a table, a plot of each axis and unit, laws, checks and findings."""

from collections.abc import Sequence

from saih.domain.quantity import with_si_short
from saih.domain.series_trend import SeriesTrend
from saih.domain.trend import Check
from saih.reports.series_figure import bar_of
from saih.reports.series_words import (
    MARKS,
    expected_words,
    factor_of,
    law_words,
    peer_words,
    series_title,
    unit_of,
)
from saih.reports.terminal_plot import MARKS as LETTERS
from saih.reports.terminal_plot import SEVERAL, Frame, Series, plot_lines
from saih.reports.terminal_table import table_lines
from saih.reports.terminal_text import cut, wrapped

_MAX_LINES, _HEIGHT, _MAX_WIDTH, _LABEL = 6, 13, 110, 40
_MAX_WHOLE = 12
_MAX_FINDINGS = 6


def series_text(trends: Sequence[SeriesTrend], width: int) -> str:
    """The trends; of many series all stand in the table, and the first ones are told whole."""
    lines = table_lines(
        ("series", "kind", "over", "sizes", "failed checks", "law"),
        [_row(trend) for trend in trends],
        width=width,
        cuttable=({0, 5},),
    )
    groups: dict[tuple[str, str], list[SeriesTrend]] = {}
    for trend in trends[:_MAX_WHOLE]:
        groups.setdefault((trend.series.axis, unit_of(trend.series)), []).append(trend)
    for (axis, unit), group in groups.items():
        lines += ["", *_plot(group, axis, unit, width)]
    for trend in trends[:_MAX_WHOLE]:
        lines += ["", *_whole(trend, width)]
    lines += ["", *_undecided(trends[:_MAX_WHOLE], width)]
    if len(trends) > _MAX_WHOLE:
        lines += ["", f"... and {len(trends) - _MAX_WHOLE} more series (--json and --report tell all)"]
    return "\n".join(lines)


def _row(trend: SeriesTrend) -> tuple[str, ...]:
    failed = sum(check.passed is False for check in trend.checks)
    law = trend.fit.text if trend.fit is not None else "none"
    series = trend.series
    return (
        series_title(series), str(series.kind), cut(series.axis, 20), str(len(trend.points)),
        f"{failed} of {len(trend.checks)}", law,
    )  # fmt: skip


def _plot(trends: Sequence[SeriesTrend], axis: str, unit: str, width: int) -> list[str]:
    shown = [trend for trend in trends if trend.points][:_MAX_LINES]
    factors = [factor_of(trend.series) for trend in shown]
    plotted = [
        Series(
            mark=mark,
            sizes=tuple(point.size for point in trend.points),
            values=tuple(bar_of(point).scaled(factor) for point in trend.points),
        )
        for mark, trend, factor in zip(LETTERS, shown, factors, strict=False)
    ]
    prefix = unit if unit == "s" else ""
    frame = Frame(
        width=min(width, _MAX_WIDTH),
        height=_HEIGHT,
        size_words=lambda size: with_si_short(size, "").replace("\N{NO-BREAK SPACE}", " "),
        value_words=lambda value: with_si_short(value, prefix).replace("\N{NO-BREAK SPACE}", " "),
    )
    drawn = plot_lines(plotted, frame)
    title = f"Value [{unit or 'unit not told'}] over {axis} (logarithmic), with intervals as bars"
    if not drawn:
        return wrapped(f"{title}: nothing to plot", width)
    key = "; ".join(
        f"{one.mark} {cut(trend.series.name, _LABEL)}" for one, trend in zip(plotted, shown, strict=True)
    )
    several = f"; {SEVERAL} several" if any(SEVERAL in row for row in drawn) else ""
    left = len(trends) - len(shown)
    more = f"; {left} more not drawn" if left else ""
    return [*wrapped(title, width), *drawn, *wrapped(key + several + more, width, rest="  ")]


def _whole(trend: SeriesTrend, width: int) -> list[str]:
    lines = wrapped(f"{trend.series.name}: {law_words(trend)}", width, rest="    ")
    for words in (expected_words(trend), peer_words(trend)):
        lines += wrapped(words, width, "  ", "    ") if words else []
    for one in trend.components:
        hidden = " (hidden)" if one.is_hidden else ""
        lines += wrapped(f"{one.phase}{hidden}: {one.fit.text}", width, "  ", "    ")
    for check in trend.checks:
        if check.passed is False:
            lines += wrapped(f"[{MARKS[False]}] {check.name}: {check.statement}", width, "  ", "    ")
    for text in trend.findings[:_MAX_FINDINGS]:
        lines += wrapped(f"! {text}", width, "  ", "    ")
    left = len(trend.findings) - _MAX_FINDINGS
    return [*lines, *([f"  ! ... and {left} more findings (--json tells all)"] if left > 0 else [])]


def _undecided(trends: Sequence[SeriesTrend], width: int) -> list[str]:
    """Checks that could not be decided; what several series say alike stands once."""
    said: dict[str, list[Check]] = {}
    for check in (one for trend in trends for one in trend.checks):
        if check.passed is None:
            said.setdefault(check.name, []).append(check)
    lines = []
    for name, group in said.items():
        alike = f" (and {len(group) - 1} alike)" if len(group) > 1 else ""
        lines += wrapped(f"[{MARKS[None]}] {name}: {group[0].statement}{alike}", width, rest="  ")
    return lines
