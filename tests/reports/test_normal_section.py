from collections.abc import Callable
from dataclasses import replace

from saih.analyzer.normality import place
from saih.domain.claim import Claim
from saih.domain.trend import Analysis
from saih.interchange.corpus import efficiencies, submissions
from saih.reports.document import Bullets, Document, Paragraph, Section, Table, typeset
from saih.reports.normal_section import normal_section


def section_of(analysis: Analysis) -> Section:
    section = normal_section(replace(analysis, normality=place(analysis, submissions(), efficiencies())))
    assert section is not None
    return section


def test_what_was_held_against_nothing_has_no_section(analysis_of: Callable[..., Analysis]) -> None:
    assert normal_section(analysis_of()) is None


def test_every_figure_is_a_row_and_a_claim_with_its_record(analysis_of: Callable[..., Analysis]) -> None:
    analysis = analysis_of()
    section = section_of(analysis)
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    (bullets,) = [block for block in section.blocks if isinstance(block, Bullets)]
    known = {point.record_id for point in analysis.points}
    claims = [item for item in bullets.items if isinstance(item, Claim)]
    assert len(table.rows) == len(claims) == len(bullets.items) >= 3
    assert all(set(claim.record_ids) <= known for claim in claims)
    assert [claim.claim_id for claim in claims if not claim.record_ids] == ["normal/public/staging"]
    assert len({claim.claim_id for claim in claims}) == len(claims)


def test_small_points_on_processors_are_not_placed_among_public_results(
    analysis_of: Callable[..., Analysis],
) -> None:
    (table,) = [block for block in section_of(analysis_of()).blocks if isinstance(block, Table)]
    verdicts = {row[0]: row[-1] for row in table.rows}
    assert verdicts["rates and shares of the maker's peak"] == "not comparable"


def test_the_note_says_that_public_figures_are_no_official_scores(
    analysis_of: Callable[..., Analysis],
) -> None:
    texts = [block.text for block in section_of(analysis_of()).blocks if isinstance(block, Paragraph)]
    assert "not official MLPerf scores" in texts[-1]
    assert "trademarks of MLCommons" in texts[-1]


def test_hostile_names_of_any_length_are_typeset_inert(analysis_of: Callable[..., Analysis]) -> None:
    analysis = analysis_of()
    hostile = "#panic() \\input{x} <b>&amp; " + "x" * 10_000
    points = tuple(replace(point, labels={"data": hostile, "model": "宽度 عرض"}) for point in analysis.points)
    section = section_of(replace(analysis, points=points))
    pdf = typeset(Document(title="t", subtitle="s", description="d", sections=(section,)))
    assert pdf.startswith(b"%PDF")
