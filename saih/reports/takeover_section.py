"""The section on what takes over: crossings of the parts of a step, laws over several axes, and peers."""

from collections.abc import Sequence

from saih.domain.claim import Claim
from saih.domain.quantity import counted, duration, in_seconds, percent
from saih.domain.trend import Analysis, Trend
from saih.reports.document import Block, Bullets, Column, Heading, Paragraph, Section, Table
from saih.reports.growth_sections import NO_POINT
from saih.reports.label import shortened
from saih.reports.takeover_words import (
    best_peer,
    crossings_of,
    is_better,
    place_words,
    surface_words,
)
from saih.reports.words import line_name

_TITLE = "What takes over, and how sure the laws are"
_MOST_ROWS = 12
_NAME = 44


def takeover_section(analysis: Analysis, claims: Sequence[Claim] = ()) -> Section:
    """These claims, then crossings, surfaces, and the forecasts of plain methods beside ours."""
    said = [Bullets(items=tuple(claims))] if claims else []
    blocks = [*said, *_crossings(analysis), *_surfaces(analysis), *_peers(analysis)]
    if not blocks:
        words = "No axis has enough sizes for a law." if analysis.points else NO_POINT
        blocks = [Paragraph(text=words)]
    return Section(title=_TITLE, blocks=tuple(blocks), is_short=True)


def _crossings(analysis: Analysis) -> list[Block]:
    if not any(trend.total is not None for trend in analysis.trends):
        return []
    found = crossings_of(analysis)
    heading = Heading(text="Where another part of the step becomes the longest")
    if not found:
        text = "No part overtakes another on any axis, up to 8 times the largest measured size."
        return [heading, Paragraph(text=text)]
    ordered = sorted(found, key=lambda one: one[1].size.high / one[1].size.low)
    columns = (
        Column(title="axis", weight=0.6),
        Column(title="fixed", weight=2.2),
        Column(title="from", weight=1.0),
        Column(title="to", weight=1.0),
        Column(title="at size [90 % interval]", weight=2.2),
        Column(title="", weight=1.0),
    )
    rows = tuple(
        (
            shortened(trend.axis, 20),
            shortened(line_name(trend, analysis.points), _NAME),
            crossing.before,
            crossing.after,
            place_words(trend, crossing),
            "extrapolated" if crossing.is_extrapolated else "measured range",
        )
        for trend, crossing in ordered[:_MOST_ROWS]
    )
    left_out = f" The {_MOST_ROWS} surest of {len(found)} are shown." if len(found) > _MOST_ROWS else ""
    text = (
        "From the laws of the phases, hidden ones included, up to 8 times the largest measured size: "
        "compute (all phases but exchange and input), the exposed exchange, and the production of input "
        f"against the work of a whole step. Open: numbers end before the interval does.{left_out}"
    )
    table = Table(columns=columns, rows=rows, alt="Crossings of the parts of a step")
    return [heading, table, Paragraph(text=text, tone="small")]


def _surfaces(analysis: Analysis) -> list[Block]:
    blocks: list[Block] = []
    for surface in analysis.surfaces:
        blocks.append(Heading(text=f"One law over {' x '.join(surface.axes)} ({surface.setting})"))
        blocks.append(Paragraph(text=surface_words(surface)))
        columns = (Column(title="part of the step", weight=1.0), Column(title="mechanism", weight=3.6))
        rows = tuple((part, law) for part, law in surface.laws.items())
        blocks.append(Table(columns=columns, rows=rows, alt="Laws over several axes"))
    return blocks


def _peers(analysis: Analysis) -> list[Block]:
    judged = [trend for trend in analysis.trends if trend.peers and trend.step_curve]
    if not judged:
        return []
    columns = (
        Column(title="axis", weight=0.6),
        Column(title="fixed", weight=2.0),
        Column(title="ours at the end of the curve", weight=2.2),
        Column(title="power law", weight=1.0, side="right"),
        Column(title="last slope", weight=1.0, side="right"),
        Column(title="errors: ours, best peer", weight=1.5, side="right"),
    )
    rows = tuple(_peer_row(trend, analysis) for trend in judged[:_MOST_ROWS])
    better = [trend for trend in judged if (peer := best_peer(trend)) is not None and is_better(peer, trend)]
    text = (
        "Plain methods on whole steps, beside our step made from its phases (90 % prediction interval). "
        "Errors are root mean squares of log(foreseen / measured) of the laws of whole steps when larger "
        "points are foreseen from smaller ones. "
        f"A plain method did clearly better on {len(better)} of {counted(len(judged), 'trend')}."
    )
    if len(judged) > _MOST_ROWS:
        text += f" The first {_MOST_ROWS} are shown."
    return [
        Heading(text="Other methods beside ours"),
        Table(columns=columns, rows=rows, alt="Forecasts of plain methods beside ours"),
        Paragraph(text=text, tone="small"),
    ]


def _peer_row(trend: Trend, analysis: Analysis) -> tuple[str, ...]:
    values = {peer.name: in_seconds(peer.value_ns) for peer in trend.peers}
    return (
        shortened(trend.axis, 20),
        shortened(line_name(trend, analysis.points), _NAME),
        duration(trend.step_curve[-1].interval),
        values.get("power law", "none"),
        values.get("last slope", "none"),
        _errors(trend),
    )


def _errors(trend: Trend) -> str:
    peer = best_peer(trend)
    if peer is None or peer.chained_error is None or trend.chained_error is None:
        return "too few points"
    return f"{percent(trend.chained_error)}, {percent(peer.chained_error)}"
