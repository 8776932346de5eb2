"""Rates with the staging of data outside and inside, and the words on synthetic input."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from saih.domain.staged import Staged
from saih.domain.supply import Supply
from saih.domain.trend import Analysis
from saih.reports.caution import confidence
from saih.reports.document import Table
from saih.reports.staging_section import staging_section
from saih.reports.trend_report import trend_document

AnalysisOf = Callable[..., Analysis]
STAGED = Staged(duration_s=12.0, num_bytes=6 * 10**9, stored_bytes=6 * 10**9, num_nodes=1)


def staged(analysis: Analysis) -> Analysis:
    points = tuple(replace(point, staged=STAGED) for point in analysis.points)
    return replace(analysis, points=points)


def test_without_staging_there_is_no_section(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    assert staging_section(analysis) is None
    assert "Staging" not in [section.title for section in trend_document(analysis).sections]


def test_rates_stand_side_by_side_and_those_inside_are_lower(analysis_of: AnalysisOf) -> None:
    analysis = staged(analysis_of())
    section = staging_section(analysis)
    assert section is not None
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert [column.title for column in table.columns][-3:] == [
        "samples/s, staging outside", "inside, 1 epoch", "inside, 10 epochs",
    ]  # fmt: skip
    assert len(table.rows) == len(analysis.points)
    for point in analysis.points:
        rate = point.samples_per_s.value
        one, ten = (STAGED.samples_per_s(rate, 256, epochs) for epochs in (1, 10))
        assert one < ten < rate
    assert "Staging" in [section.title for section in trend_document(analysis).sections]
    assert {row[2] for row in table.rows} == {"6.00\N{NO-BREAK SPACE}GB"}


@pytest.mark.parametrize("is_synthetic", [True, False])
def test_synthetic_input_is_said_among_the_first_words(
    analysis_of: AnalysisOf, *, is_synthetic: bool
) -> None:
    analysis = analysis_of()
    if is_synthetic:
        supply = Supply(input="synthetic")
        points = tuple(replace(one, point=replace(one.point, supply=supply)) for one in analysis.points)
        analysis = replace(analysis, points=points)
    assert any("Input was synthetic" in str(claim) for claim in confidence(analysis)) is is_synthetic
