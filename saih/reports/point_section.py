"""The section on points: every number of every measured point, and the evidence of its verdict."""

from collections.abc import Sequence

from saih.domain.quantity import counted
from saih.domain.trend import Limit
from saih.reports import tables
from saih.reports.compact_table import compact_table
from saih.reports.document import Block, Heading, Paragraph, Section, section_or
from saih.reports.growth_sections import NO_POINT
from saih.reports.stack_figure import NumberedPoint

_TITLE = "All measured points"
_RATES = (
    "The samples and operations of a step are exact counts: the intervals of samples/s and FLOP/s are as "
    "wide, in percent, as that of the median step."
)
_MOST_WHOLE = 40
"""Points beyond this many get one line each."""
_MOST_EVIDENCE = 16
"""Points beyond this many show one example of the evidence for each verdict."""


def point_section(points: Sequence[NumberedPoint]) -> Section:
    """The table of points; then sizes and evidence, of very many points for examples."""
    if not points:
        return section_or(_TITLE, (), NO_POINT)
    table = tables.points_table(points) if len(points) <= _MOST_WHOLE else compact_table(points)
    note = Paragraph(text=_RATES, tone="small")
    return Section(title=_TITLE, blocks=(table, note, *_evidence(points)), is_landscape=True)


def _evidence(points: Sequence[NumberedPoint]) -> tuple[Block, ...]:
    if len(points) <= _MOST_EVIDENCE:
        return Heading(text="Sizes and evidence"), tables.sizes_table(points)
    examples = _examples(points)
    words = (
        f"Of {counted(len(points), 'point')}, those in the middle of each verdict's shares of peak. "
        "`saih analyze --json` gives the evidence of all of them."
    )
    return (
        Heading(text="Sizes and evidence: one example of each verdict"),
        tables.sizes_table(examples),
        Paragraph(text=words, tone="small"),
    )


def _examples(points: Sequence[NumberedPoint]) -> list[NumberedPoint]:
    """For each verdict the point in the middle of those that have it, by share of peak or rate."""
    groups: dict[Limit, list[NumberedPoint]] = {}
    for point in points:
        groups.setdefault(point.summary.diagnosis.limit, []).append(point)
    middles = [sorted(group, key=_merit)[len(group) // 2] for group in groups.values()]
    return sorted(middles, key=lambda point: point.number)


def _merit(point: NumberedPoint) -> tuple[float, int]:
    share = point.summary.share_of_peak
    return (share.value if share is not None else point.summary.flops_per_s.value), point.number
