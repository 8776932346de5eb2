"""The section on what was studied: gates of every point's problem, and the front of loss over cost."""

from collections.abc import Sequence

from saih.domain.quantity import counted
from saih.domain.study import Search
from saih.domain.trend import Analysis, PointSummary
from saih.reports.document import Block, Bullets, Column, Heading, Paragraph, Picture, Section, Table
from saih.reports.label import shortened
from saih.reports.study_figure import front_figure
from saih.reports.study_words import (
    failure_claims,
    gate_mark,
    mark_of,
    marks_claim,
    problem_words,
    rung_cells,
    search_claim,
    search_notes,
)

TITLE = "Problems worth learning"
_INTRODUCTION = (
    "How fast a problem is trained says something only if it can be learnt. Gates, each run on the problem "
    "or on a smaller twin of the same depth and width: G0 signals pass at the start, G1 a few samples are "
    "learnt by heart, G2 plain statistics tell something, G3 learning leaves the plateau, G4 shuffled labels "
    "teach nothing, G5 the network beats a ridge on power spectra and counts, G6 the loss falls, G7 more "
    "data do not raise the error, G8 the data are sound. Of a twin G1, G5, G6 and G7 decide nothing: they "
    "tell how far the study could train it. A point without a study counts as not run."
)
_MARKS = "Marks: mean over seeds with its 95 % interval. Line: the front, which nothing cheaper lies below."
_GATES = tuple(f"G{number}" for number in range(9))
_MOST_ROWS, _MOST_FAILURES = 60, 12


def study_section(analysis: Analysis) -> Section | None:
    """Marks of all points and the front; None where nothing was studied."""
    claim = marks_claim(analysis)
    has_gates = claim is not None and any(point.validation is not None for point in analysis.points)
    blocks: list[Block] = []
    if claim is not None and has_gates:
        claims = (claim, *failure_claims(analysis, _MOST_FAILURES))
        blocks += [Paragraph(text=_INTRODUCTION), Bullets(items=claims), _table(analysis.points)]
        hidden = len(analysis.points) - _MOST_ROWS
        if hidden > 0:
            more = f"{counted(hidden, 'more point')} in `saih analyze --json`."
            blocks.append(Paragraph(text=more, tone="small"))
    if analysis.search is not None:
        blocks += _front(analysis.search)
    return Section(title=TITLE, blocks=tuple(blocks)) if blocks else None


def _table(points: Sequence[PointSummary]) -> Table:
    columns = (
        Column(title="point", weight=2.6),
        Column(title="ranks", weight=0.6, side="right"),
        Column(title="gates", weight=0.8),
        Column(title="studied", weight=3.2),
        *(Column(title=name, weight=0.45) for name in _GATES),
    )
    rows = tuple(_row(point) for point in points[:_MOST_ROWS])
    return Table(
        columns=columns, rows=rows, alt="For each point whether its gates passed, failed or did not run"
    )


def _row(point: PointSummary) -> tuple[str, ...]:
    findings = None if point.validation is None else point.validation.findings
    gates = {} if findings is None else {gate.name: gate for gate in findings.gates}
    return (
        problem_words(point),
        str(point.point.placement.num_ranks),
        mark_of(point),
        "-" if findings is None else shortened(findings.subject, 120),
        *(gate_mark(gates.get(name)) for name in _GATES),
    )


def _front(search: Search) -> list[Block]:
    frontier = search.frontier
    columns = (
        Column(title="training cost", weight=1.0, side="right"),
        Column(title="model", weight=1.6),
        Column(title=shortened(frontier.metric, 40), weight=1.8, side="right"),
        Column(title="seeds", weight=0.5, side="right"),
        Column(title="settings", weight=1.8),
        Column(title="begun from", weight=1.6),
        Column(title="front", weight=0.5),
    )
    rows = [rung_cells(rung) for rung in frontier.rungs]
    deepened = [
        (cost, f"{model} (only deepened)", *rest) for cost, model, *rest in map(rung_cells, frontier.deepened)
    ]
    count = counted(len(frontier.rungs), "rung")
    return [
        Heading(text="The model that learns best at each cost"),
        Bullets(items=(search_claim(search), *search_notes(search))),
        Picture(
            svg=front_figure(frontier),
            alt=f"{shortened(frontier.metric, 60)} over training cost of a sample, {count}.",
            caption=f"Loss over cost, n = {count}. {_MARKS}",
        ),
        Table(columns=columns, rows=(*rows, *deepened), alt="Models that learn best at each cost"),
    ]
