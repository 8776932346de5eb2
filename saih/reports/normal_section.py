"""The section that tells whether the numbers are normal."""

from saih.domain.claim import Claim
from saih.domain.normality import Placed
from saih.domain.trend import Analysis
from saih.reports.document import Bullets, Column, Heading, Paragraph, Section, Table
from saih.reports.label import shortened

TITLE = "Are these numbers normal?"
_INTRODUCTION = (
    "Each figure is held against what this machine can do at best, and against public results of the same "
    "problem, where there are any. What asks something else is not placed, and the reason is given."
)
_PUBLIC = (
    "Public figures are medians over epochs, computed from the public logs of MLPerf HPC (Apache-2.0): not "
    "official MLPerf scores, not verified by MLCommons Association. The MLPerf name and logo are trademarks "
    "of MLCommons Association in the United States and elsewhere. Their FLOPs are those of the reference "
    "network, their peaks those of the makers' data sheets."
)
_TEXT = 600
_CELL = 200


def normal_section(analysis: Analysis) -> Section | None:
    """Where each headline figure stands; None where none was held against anything."""
    placed = analysis.normality
    if not placed:
        return None
    sources = sorted({source for one in placed for source in one.sources})
    named = f" Used here: {', '.join(sources)}." if sources else ""
    return Section(
        title=TITLE,
        blocks=(
            Paragraph(text=_INTRODUCTION),
            _table(placed),
            Heading(text="In words"),
            Bullets(items=tuple(_claim(one) for one in placed)),
            Paragraph(text=f"{_PUBLIC}{named}", tone="small"),
        ),
    )


def _table(placed: tuple[Placed, ...]) -> Table:
    columns = (
        Column(title="figure", weight=1.6),
        Column(title="here", weight=1.5),
        Column(title="held against", weight=2.6),
        Column(title="verdict", weight=1.0),
    )
    rows = tuple(
        (
            one.title,
            shortened(one.value, _CELL) or "none",
            shortened(one.reference, _CELL) or "nothing known",
            str(one.verdict),
        )
        for one in placed
    )
    return Table(columns=columns, rows=rows, alt="Figures against ceilings and public results")


def _claim(one: Placed) -> Claim:
    return Claim(claim_id=f"normal/{one.name}", text=shortened(one.text, _TEXT), record_ids=one.record_ids)
