from collections.abc import Callable
from dataclasses import replace

from saih.domain.crossing import Crossing
from saih.domain.interval import Interval
from saih.domain.peer import PeerForecast
from saih.domain.surface import SurfaceFinding
from saih.domain.trend import Analysis
from saih.reports.document import Paragraph, Section, Table
from saih.reports.takeover_section import takeover_section
from saih.reports.takeover_words import takeover_claims
from saih.reports.terminal_trends import laws_lines

AnalysisOf = Callable[..., Analysis]


def crossing(low: float, value: float, high: float, *, is_open: bool = False) -> Crossing:
    return Crossing(
        before="compute",
        after="interconnect",
        size=Interval(low=low, value=value, high=high, level=0.9, count=6),
        is_extrapolated=True,
        is_open_below=False,
        is_open_above=is_open,
        statement=f"The longest part of the step turns from compute to the interconnect at {low:g}-{high:g}.",
    )


def peer(error: float | None) -> PeerForecast:
    return PeerForecast(name="power law", size=8.0, value_ns=4e6, chained_error=error)


def with_trend(analysis: Analysis, **changes: object) -> Analysis:
    first, *rest = analysis.trends
    return replace(
        analysis, trends=(replace(first, **changes), *(replace(one, crossings=()) for one in rest))
    )


def texts(section: Section) -> str:
    rows = [row for block in section.blocks if isinstance(block, Table) for row in block.rows]
    said = [block.text for block in section.blocks if isinstance(block, Paragraph)]
    return " | ".join([*(cell for row in rows for cell in row), *said])


def test_the_surest_closed_crossing_is_a_finding(analysis_of: AnalysisOf) -> None:
    crossings = (crossing(90, 120, 160), crossing(10, 40, 300), crossing(5, 6, 7, is_open=True))
    analysis = with_trend(analysis_of(), crossings=crossings)
    (claim,) = [one for one in takeover_claims(analysis) if one.claim_id.startswith("crossing/")]
    assert claim.text.endswith("turns from compute to the interconnect at 90-160.")
    assert claim.record_ids == analysis.trends[0].record_ids
    shown = texts(takeover_section(analysis))
    assert "120 [90, 160]" in shown.replace("\N{NO-BREAK SPACE}", " ")
    assert "open above" in shown
    assert any("at 90-160" in line for line in laws_lines(analysis, 200))


def test_without_a_crossing_the_section_says_that_none_was_found(analysis_of: AnalysisOf) -> None:
    analysis = with_trend(analysis_of(), crossings=())
    assert "No part overtakes another on any axis" in texts(takeover_section(analysis))
    assert not [one for one in takeover_claims(analysis) if one.claim_id.startswith("crossing/")]


def test_a_peer_that_did_better_is_named_with_both_errors(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    analysis = replace(analysis, trends=analysis.trends[:1])
    better = with_trend(analysis, peers=(peer(0.05),), chained_error=0.2)
    (claim,) = [one for one in takeover_claims(better) if one.claim_id == "peer-better"]
    assert "the power law erred by 5.0 % and ours by 20 %" in claim.text.replace("\N{NO-BREAK SPACE}", " ")
    for error in (0.19, 0.3, None):
        worse = with_trend(analysis, peers=(peer(error),), chained_error=0.2)
        assert not [one for one in takeover_claims(worse) if one.claim_id == "peer-better"]


def test_a_surface_says_whether_it_foresaw_the_largest_point(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    measured = Interval(low=0.98e9, value=1e9, high=1.02e9, level=0.95, count=30)
    surface = SurfaceFinding(
        axes=("data", "model"),
        setting="float32",
        num_points=8,
        laws={"forward": "1 ms + 2 ms (FLOPs / 1 G)"},
        typical_error=0.03,
        corner_record_id=analysis.points[-1].record_id,
        corner_measured_ns=measured,
        corner_expected_ns=Interval(low=0.8e9, value=0.9e9, high=0.95e9, level=0.9, count=7),
        corner_refusal="",
    )
    (claim,) = [
        one
        for one in takeover_claims(replace(analysis, surfaces=(surface,)))
        if one.claim_id.startswith("surface/")
    ]
    assert "OUTSIDE the expected" in claim.text
    assert "forward = 1 ms" in claim.fit
    refused = replace(surface, corner_expected_ns=None, corner_refusal="Too few are left.")
    shown = texts(takeover_section(replace(analysis, surfaces=(refused,))))
    assert "could not be held out: Too few are left." in shown


def test_an_analysis_without_points_still_has_the_section(analysis_of: AnalysisOf) -> None:
    empty = replace(analysis_of(), points=(), trends=(), surfaces=())
    assert "No point was measured" in texts(takeover_section(empty))
    assert takeover_claims(empty) == ()
