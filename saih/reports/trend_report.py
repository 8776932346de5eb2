"""The report of one sweep as PDF: a page to read, then the evidence."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from saih.domain.claim import Claim
from saih.domain.quantity import counted
from saih.domain.trend import Analysis
from saih.reports import tables
from saih.reports.advice import advice
from saih.reports.caution import cautions, confidence
from saih.reports.claims_file import ClaimsFile, encode
from saih.reports.document import (
    Block,
    Bullets,
    Card,
    Cards,
    Document,
    Heading,
    Picture,
    Section,
    write,
)
from saih.reports.edge_section import edge_section
from saih.reports.energy_section import energy_section
from saih.reports.evidence import claims_of, with_evidence
from saih.reports.execution_section import execution_section
from saih.reports.execution_words import MOST_IN_SUMMARY, gain_claims
from saih.reports.grid import Grid, grids
from saih.reports.growth_sections import growth_section
from saih.reports.label import shortened
from saih.reports.map_figure import map_figure
from saih.reports.map_section import map_section
from saih.reports.merit import extremes, range_words, ranges
from saih.reports.method import METHOD, definitions
from saih.reports.normal_section import normal_section
from saih.reports.point_section import point_section
from saih.reports.roofline_section import roofline_section
from saih.reports.rung_labels import told_apart
from saih.reports.scaling_sections import scaling_sections
from saih.reports.staging_section import staging_section
from saih.reports.study_section import study_section
from saih.reports.takeover_section import takeover_section
from saih.reports.takeover_words import takeover_claims
from saih.reports.time_section import time_section
from saih.reports.turn_section import turn_section
from saih.reports.verification_section import verification_section
from saih.reports.what_if_section import what_if_section
from saih.reports.words import findings, outcome_words, records_of, system_words

_NO_DIGESTS: Mapping[str, str] = MappingProxyType({})
_MOST_FINDINGS = 8
"""Sentences that leave the summary on one page."""


def write_report(analysis: Analysis, path: Path) -> Path:
    """Write the PDF report of ``analysis`` to ``path``, replacing it as a whole; gives ``path``.

    The same analysis gives the same bytes.

    Raises:
        SaihError: when the file cannot be written.
    """
    document = trend_document(analysis)
    return write(document, path, encode(trend_claims(analysis, document)))


def trend_claims(
    analysis: Analysis,
    document: Document,
    records: Mapping[str, str] = _NO_DIGESTS,
    ceilings: Mapping[str, str] = _NO_DIGESTS,
) -> ClaimsFile:
    """What the report says, and the digests of the records and ceilings that it was made from."""
    return ClaimsFile(
        kind="trend",
        sweep=analysis.sweep_name,
        environment_id=analysis.environment.environment_id,
        claims=claims_of(document),
        records=records,
        ceilings=ceilings,
    )


def trend_document(analysis: Analysis) -> Document:
    """The content of the report."""
    analysis, shared = told_apart(analysis)
    points = tables.lead(analysis.points)
    document = Document(
        title=f"AI performance trend: {shortened(analysis.sweep_name, 100)}",
        subtitle=system_words(analysis.environment),
        description=f"{outcome_words(analysis)}; share of peak {range_words(analysis.points)}",
        sections=(
            _summary(analysis, shared),
            growth_section(analysis),
            turn_section(analysis),
            takeover_section(analysis, takeover_claims(analysis)[_num_taken_over(analysis) :]),
            *_known(execution_section(analysis)),
            *_known(verification_section(analysis)),
            *_known(study_section(analysis)),
            map_section(analysis),
            edge_section(analysis),
            time_section(analysis, points),
            *scaling_sections(analysis),
            *_known(staging_section(analysis)),
            *_known(energy_section(analysis)),
            roofline_section(analysis, points),
            *_known(what_if_section(analysis)),
            *_known(normal_section(analysis)),
            point_section(points),
            _background(analysis),
        ),
    )
    return with_evidence(document)


def _num_taken_over(analysis: Analysis) -> int:
    """How many sentences on what takes over the summary has room for; their section tells the others."""
    return max(0, _MOST_FINDINGS - len(findings(analysis)) - len(_gains(analysis)))


def _gains(analysis: Analysis) -> tuple[Claim, ...]:
    """The sentences on executions that the summary has room for."""
    return gain_claims(analysis)[:MOST_IN_SUMMARY]


def _known(section: Section | None) -> tuple[Section, ...]:
    return () if section is None else (section,)


def _summary(analysis: Analysis, shared: Sequence[str]) -> Section:
    first = grids(analysis)[:1]
    return Section(
        title="Summary",
        blocks=(
            Cards(cards=_cards(analysis)),
            Heading(text="Findings"),
            Bullets(
                items=(
                    *findings(analysis),
                    *_gains(analysis),
                    *takeover_claims(analysis)[: _num_taken_over(analysis)],
                ),
            ),
            *(_map(grid, shared) for grid in first),
            *_to_try(analysis),
            Heading(text="How sure this is"),
            Bullets(items=confidence(analysis)),
        ),
    )


def _to_try(analysis: Analysis) -> tuple[Block, ...]:
    """Verdicts rest on phases and ceilings, so what follows from them is to be tried, not believed."""
    told = advice(analysis.points)
    return (Heading(text="What to try where points are held back"), Bullets(items=told)) if told else ()


def _cards(analysis: Analysis) -> tuple[Card, ...]:
    has_share = any(point.share_of_peak is not None for point in analysis.points)
    limits = [point.diagnosis.limit for point in analysis.points]
    most = max(sorted(set(limits)), key=limits.count, default=None)
    *others, (name, best) = ranges(analysis.points)
    note = "; ".join([f"{name}, lowest to highest", *(f"{label} {words}" for label, words in others)])
    return (
        Card(
            label="share of measured peak"
            if has_share or not analysis.points
            else "rate (no ceiling measured)",
            value=best,
            note=note if others else "lowest to highest of the measured points",
            claim_id="range-of-share",
            record_ids=records_of(extremes(analysis.points) or ()),
        ),
        Card(
            label="points measured",
            value=f"{len(analysis.points)} of {analysis.num_planned}",
            note=f"{len(analysis.failed)} failed, {len(analysis.dropped)} dropped before the run",
            claim_id="points-measured",
            record_ids=records_of((*analysis.points, *analysis.failed)),
        ),
        Card(
            label="most often held back by",
            value=str(most) if most else "unknown",
            note=f"{limits.count(most)} of {counted(len(limits), 'point')}" if most else "no point measured",
            claim_id="held-back-by",
            record_ids=records_of(analysis.points),
        ),
    )


def _map(grid: Grid, shared: Sequence[str]) -> Picture:
    same = f" Same at all points: {shortened(', '.join(shared), 120)}." if shared else ""
    caption = (
        "Share of measured peak (or rate, where no ceiling was measured) and what holds the point back. "
        "100 % is the best arithmetic rate that the same ranks reached. "
        "Brighter is higher. Slashes: failed; dots: left out (cannot fit, or not needed). "
        f"{grid.setting}.{same}"
    )
    size = f"{len(grid.data)} data rungs by {len(grid.model)} model rungs"
    alt = f"Map of {size}: share of peak and verdict."
    return Picture(svg=map_figure(grid), alt=alt, caption=caption)


def _background(analysis: Analysis) -> Section:
    return Section(
        title="Environment, method, definitions",
        blocks=(
            Heading(text="What not to conclude"),
            Bullets(items=cautions(analysis)),
            Heading(text="Method in brief"),
            Bullets(items=METHOD),
            Heading(text="Definitions"),
            Bullets(items=definitions(analysis.points)),
            Heading(text="Environment"),
            tables.environment_table(analysis.environment),
        ),
    )
