"""The history of one system as a document: what changed over all, and at which points."""

from saih.domain.history import History, Series
from saih.domain.quantity import counted, factor
from saih.reports.claims_file import ClaimsFile
from saih.reports.document import (
    Block,
    Bullets,
    Column,
    Document,
    Heading,
    Paragraph,
    Picture,
    Section,
    Table,
)
from saih.reports.evidence import claims_of, with_evidence
from saih.reports.history_figure import history_figure
from saih.reports.history_words import history_claims, moment_words, series_name, series_words, without_shared
from saih.reports.label import shortened

_MOST_PICTURES = 6
_LONG = 240
_NOTES = (
    "Runs stand in the order of the time at which they were measured.",
    (
        "A step is told from its second run on, in a series of six runs or more. All series share one error "
        "rate of 1 %: a system that never changed gives any alarm in at most 1 % of histories."
    ),
    (
        "Places are found by optimal partitioning (ruptures); a step counts where one as great is too seldom "
        "in normal noise. Slow drifts are not steps, and may be told as several."
    ),
)


def history_document(history: History) -> Document:
    """The content: verdict, the mean over all points, changed points, and a table of all."""
    history = without_shared(history)
    blocks: list[Block] = [
        Paragraph(text=f"Over all: {series_words(history.overall)}.", tone="loud"),
        _picture(history, history.overall, "All points together"),
        Heading(text="Findings"),
        Bullets(items=history_claims(history)),
    ]
    if history.differences:
        told = tuple(shortened(text, _LONG) for text in history.differences[:24])
        blocks += [Heading(text="What changed in the environment"), Bullets(items=told)]
    blocks += [Heading(text="How to read this"), Bullets(items=_NOTES)]
    changed = [series for series in history.points if series.changes]
    sections = [Section(title="Summary", blocks=tuple(blocks))]
    if changed:
        pictures = tuple(_picture(history, one, series_name(one)) for one in changed[:_MOST_PICTURES])
        sections.append(Section(title="Points that changed", blocks=pictures))
    sections.append(Section(title="All points", blocks=(_points(history), _runs(history))))
    first, last = (moment_words(run.measured_utc) for run in (history.runs[0], history.runs[-1]))
    return with_evidence(
        Document(
            title=f"AI performance over time: {shortened(history.runs[-1].name, 100)}",
            subtitle=f"{counted(len(history.runs), 'run')} from {first} to {last}",
            description=series_words(history.overall),
            sections=tuple(sections),
        )
    )


def history_file(history: History, document: Document) -> ClaimsFile:
    """What the report says."""
    return ClaimsFile(
        kind="comparison",
        sweep=" and ".join(run.name for run in history.runs),
        environment_id="",
        claims=claims_of(document),
        records={},
    )


def _picture(history: History, series: Series, title: str) -> Picture:
    words = series_words(series)
    return Picture(
        svg=history_figure(history, series),
        alt=f"{title}: {words}.",
        caption=f"{shortened(title, 120)}: speed over that of the first run, with the 95 % interval that the "
        "steps inside each run stand for; orange: means between changes.",
    )


def _points(history: History) -> Table:
    rows = tuple(
        (
            series_name(series),
            str(sum(rate is not None for rate in series.rates)),
            "; ".join(
                f"{shortened(change.since.name, 30)}: {factor(change.ratio)}" for change in series.changes
            )
            or shortened(series.remark, 80)
            or "no change",
        )
        for series in (history.overall, *history.points)
    )
    columns = (
        Column(title="point", weight=3),
        Column(title="runs", weight=0.5, side="right"),
        Column(title="changes: since which run, speed over before [95 %]", weight=3),
    )
    return Table(columns=columns, rows=rows, alt="Changes of each point")


def _runs(history: History) -> Table:
    rows = tuple(
        (str(number), shortened(run.name, 80), moment_words(run.measured_utc))
        for number, run in enumerate(history.runs, start=1)
    )
    columns = (
        Column(title="no.", weight=0.3, side="right"),
        Column(title="run", weight=3),
        Column(title="measured"),
    )
    return Table(columns=columns, rows=rows, alt="Runs in the order of time")
