"""The report of foreign series: a summary, then every series with its figure, laws, points and checks."""

from collections.abc import Sequence

from saih.domain.quantity import amount, counted, percent
from saih.domain.series_trend import SeriesTrend
from saih.reports.document import (
    Block,
    Bullets,
    Card,
    Cards,
    Column,
    Document,
    Heading,
    Paragraph,
    Picture,
    Section,
    Table,
)
from saih.reports.label import shortened
from saih.reports.series_figure import series_figure
from saih.reports.series_words import (
    MARKS,
    expected_words,
    failed_first,
    law_words,
    peer_words,
    point_words,
    series_title,
    words_of,
)

MAX_WHOLE = 60
"""Series that are shown with a figure of their own; all stand in the table."""
_MAX_FINDINGS = 40
_MAX_POINTS = 60
_LONG = 300
_METHOD = (
    (
        "Points are medians over the runs of a size. Where sizes have repeats, the 95 % interval comes from "
        "their spread, pooled over all sizes; where they have none, no interval is made up."
    ),
    (
        "Laws are sums of at most two non-negative terms, weighted by how well they foresee larger points; "
        "bands are 90 % prediction intervals of a new measurement. Dashed is extrapolated."
    ),
    "With phases, each has its own law, and the whole is their sum; without, an unseen regime stays unseen.",
    "Values that are no durations, copies of runs and mistaken units take no part, and are named.",
)


def series_document(trends: Sequence[SeriesTrend], title: str) -> Document:
    """The content of the report of these series."""
    shown = trends[:MAX_WHOLE]
    return Document(
        title=f"Trends: {shortened(title, 100)}",
        subtitle=f"{len(trends)} series measured by others",
        description=f"Laws, intervals and checks of {len(trends)} series",
        sections=(_summary(trends), *(_section(trend) for trend in shown), _background()),
    )


def _summary(trends: Sequence[SeriesTrend]) -> Section:
    checks = [check for trend in trends for check in trend.checks]
    failed = sum(check.passed is False for check in checks)
    cards = (
        Card(
            label="series with a law",
            value=f"{sum(trend.fit is not None for trend in trends)} of {len(trends)}",
            note="a law needs two usable sizes, and four to be tested",
        ),
        Card(label="checks failed", value=f"{failed} of {len(checks)}", note="each says why"),
        Card(
            label="findings in the readings",
            value=str(sum(len(trend.findings) for trend in trends)),
            note="values left out, copies, other remarks",
        ),
    )
    blocks: list[Block] = [Cards(cards=cards), Heading(text="All series"), _overview(trends)]
    left_out = len(trends) - MAX_WHOLE
    if left_out > 0:
        text = f"{left_out} more series have no section of their own; --json holds all of them."
        blocks.append(Paragraph(text=text, tone="small"))
    found = [(trend, text) for trend in trends for text in trend.findings]
    if found:
        told = tuple(
            f"{series_title(trend.series)}: {shortened(text, _LONG)}" for trend, text in found[:_MAX_FINDINGS]
        )
        more = len(found) - len(told)
        told = (*told, f"... and {more} more, told in their sections and in --json") if more > 0 else told
        blocks += [Heading(text="What is wrong or odd with the readings"), Bullets(items=told)]
    return Section(title="Summary", blocks=tuple(blocks))


def _overview(trends: Sequence[SeriesTrend]) -> Table:
    return Table(
        columns=(
            Column(title="series", weight=2.2),
            Column(title="kind", weight=0.7),
            Column(title="sizes", weight=0.6, side="right"),
            Column(title="law", weight=2.6),
            Column(title="checks failed", weight=0.8, side="right"),
        ),
        rows=tuple(
            (
                series_title(trend.series),
                str(trend.series.kind),
                str(len(trend.points)),
                shortened(trend.fit.text if trend.fit else "none", 90),
                f"{sum(check.passed is False for check in trend.checks)} of {len(trend.checks)}",
            )
            for trend in trends
        ),
        alt="All series with their laws",
    )


def _section(trend: SeriesTrend) -> Section:
    series = trend.series
    said = [f"Law: {law_words(trend)}."]
    said += [f"{words}." for words in (expected_words(trend), peer_words(trend)) if words]
    said += [
        f"{shortened(one.phase, 60)}{' (hidden)' if one.is_hidden else ''}: {one.fit.text}"
        for one in trend.components
    ]
    said += [f"{shortened(name, 60)}: {shortened(value, 120)}" for name, value in series.facts.items()]
    count = counted(len(trend.points), "point")
    blocks: list[Block] = [Bullets(items=tuple(said))]
    blocks.append(
        Picture(
            svg=series_figure(trend),
            alt=f"{series_title(series)} over {shortened(series.axis, 40)}: {count}.",
            caption=(
                f"Marks: medians with their 95 % intervals where repeats give one; {count}. "
                "Curves: laws with 90 % prediction bands; dashed where extrapolated."
            ),
        )
    )
    if trend.findings:
        blocks += [Heading(text="Readings"), Bullets(items=trend.findings)]
    blocks += [Heading(text="Checks"), _checks(trend), Heading(text="Points"), _points(trend)]
    return Section(title=series_title(series), blocks=tuple(blocks))


def _checks(trend: SeriesTrend) -> Table:
    ordered = (*failed_first(trend.checks), *(check for check in trend.checks if check.passed is True))
    return Table(
        columns=(
            Column(title="check", weight=1.2),
            Column(title="result", weight=0.6),
            Column(title="why", weight=4),
        ),
        rows=tuple((check.name, MARKS[check.passed], check.statement) for check in ordered),
        alt="Checks of the trend",
    )


def _points(trend: SeriesTrend) -> Table:
    shown = trend.points[:_MAX_POINTS]
    at = {point.size: point.interval for point in trend.curve}
    words = words_of(trend.series)
    rows = [
        (
            amount(point.size),
            point_words(trend.series, point),
            str(point.num_runs),
            words(at[point.size].value) if point.size in at else "none",
            shortened("; ".join(point.places), 60),
        )
        for point in shown
    ]
    if len(trend.points) > len(shown):
        rows.append((f"... {len(trend.points) - len(shown)} more", "", "", "", ""))
    return Table(
        columns=(
            Column(title=shortened(trend.series.axis, 24), weight=0.8, side="right"),
            Column(title=f"median [{percent(0.95)}]", weight=2.2, side="right"),
            Column(title="runs", weight=0.5, side="right"),
            Column(title="law", weight=1.0, side="right"),
            Column(title="where in the file", weight=1.8),
        ),
        rows=tuple(rows),
        alt="Points of the series",
    )


def _background() -> Section:
    return Section(title="Method", blocks=(Bullets(items=_METHOD),), is_short=True)
