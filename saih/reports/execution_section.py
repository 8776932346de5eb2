"""The section on executions: what each is faster than the one that it is held against, rung by rung."""

from saih.domain.quantity import duration, factor
from saih.domain.trend import Analysis, PointSummary
from saih.reports.document import Bullets, Column, Paragraph, Section, Table
from saih.reports.execution_words import MOST_IN_SUMMARY, gain_claims, rung_words
from saih.reports.label import shortened

_NAME = 80
_MOST_ROWS = 40
_METHOD = (
    "Reference: what a plain loop in torch does, in float32, the same on every system. Tuned: the fastest "
    "settings that a short search before the point found; they may differ from rung to rung, and their first "
    "losses were held against the plain ones. A ratio is one of samples per second in the same sweep."
)


def execution_section(analysis: Analysis) -> Section | None:
    """A row for each rung, and sentences that the summary has no room for; None for one execution alone."""
    if not analysis.gains:
        return None
    points = {point.record_id: point for point in analysis.points}
    columns = (
        Column(title="rung", weight=2.2),
        Column(title="execution", weight=1.0),
        Column(title="faster than", weight=0.9),
        Column(title="ratio [interval]", weight=1.4, side="right"),
        Column(title="median step", weight=1.6, side="right"),
        Column(title="settings", weight=2.6),
    )
    rows = tuple(
        (
            shortened(rung_words(analysis, gain), _NAME),
            shortened(gain.name, _NAME),
            shortened(gain.baseline, _NAME),
            factor(gain.ratio),
            _step(points.get(gain.record_id)),
            shortened(gain.settings, _NAME) or "plain ones",
        )
        for gain in analysis.gains[:_MOST_ROWS]
    )
    untold = gain_claims(analysis)[MOST_IN_SUMMARY:]
    left = len(analysis.gains) - len(rows)
    more = f" {left} more rows are in `saih analyze --json`." if left else ""
    return Section(
        title="Executions: what tuning brings",
        blocks=(
            *((Bullets(items=untold),) if untold else ()),
            Table(columns=columns, rows=rows, alt="Executions held against each other, rung by rung"),
            Paragraph(text=f"{_METHOD}{more}", tone="small"),
        ),
        is_short=True,
    )


def _step(point: PointSummary | None) -> str:
    return duration(point.step_ns) if point is not None else ""
