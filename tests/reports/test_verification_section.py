"""Verdicts put to the test, in the report, on a terminal and in JSON."""

import json
from collections.abc import Callable
from dataclasses import replace

from saih.domain.claim import Claim
from saih.domain.interval import Interval
from saih.domain.trend import Analysis
from saih.domain.verdict import Limit
from saih.domain.verification import Intervention, Status, Toggle, ToggleEffect, Verification
from saih.reports.analysis_json import analysis_as_json
from saih.reports.document import Bullets, Table
from saih.reports.terminal_analysis import analysis_text
from saih.reports.trend_report import trend_document
from saih.reports.verification_section import TITLE, verification_section

SENTENCE = (
    "without exchange the step took 31 % less, predicted 29 %; ratio 1.06 [0.97, 1.15]; sham 0.2 %, p = 0.4."
)


def interval(value: float) -> Interval:
    return Interval(
        low=value - abs(value) / 10, value=value, high=value + abs(value) / 10, level=0.95, count=7
    )


def verified(record_id: str, status: Status = "verified") -> Verification:
    toggle = Toggle(intervention=Intervention.THROTTLED_EXCHANGE, dose_ns=2_000_000)
    effect = ToggleEffect(
        toggle=toggle,
        num_pairs=3,
        off_ns=1e7,
        measured_ns=interval(-2.1e6),
        predicted_ns=interval(2e6),
        p_value=0.02,
    )
    return Verification(
        record_id=record_id,
        limit=Limit.INTERCONNECT,
        status=status,
        predicted_ns=interval(-2.9e6),
        measured_ns=interval(-3.1e6),
        ratio=interval(1.06),
        p_value=0.0156,
        doses=(effect,),
        statement=f"{status}: {SENTENCE}",
    )


def with_tests(analysis: Analysis, status: Status = "verified") -> Analysis:
    """The first two points put to the test."""
    points = tuple(
        replace(point, verifications=(verified(point.record_id, status),)) if index < 2 else point
        for index, point in enumerate(analysis.points)
    )
    return replace(analysis, points=points)


def test_without_a_test_there_is_no_section(analysis_of: Callable[..., Analysis]) -> None:
    assert verification_section(analysis_of()) is None
    assert TITLE not in [section.title for section in trend_document(analysis_of()).sections]
    assert "put to the test" not in analysis_text(analysis_of())


def test_every_verdict_is_a_claim_on_its_record_and_every_dose_a_row(
    analysis_of: Callable[..., Analysis],
) -> None:
    section = verification_section(with_tests(analysis_of()))
    assert section is not None
    (bullets,) = [block for block in section.blocks if isinstance(block, Bullets)]
    claims = [item for item in bullets.items if isinstance(item, Claim)]
    assert [SENTENCE in claim.text for claim in claims] == [False, True, True]
    assert "2 verified, of 2 points" in claims[0].text
    assert all(claim.record_ids for claim in claims)
    assert len({claim.claim_id for claim in claims}) == 3
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert len(table.rows) == 2
    assert [cell.replace("\N{NO-BREAK SPACE}", " ") for cell in table.rows[0][2:5]] == [
        "2.00 ms",
        "+2.00 ms (+1.80 ms to +2.20 ms)",
        "-2.10 ms (-2.31 ms to -1.89 ms)",
    ]
    assert TITLE in [one.title for one in trend_document(with_tests(analysis_of())).sections]


def test_terminals_and_programs_are_told_too(analysis_of: Callable[..., Analysis]) -> None:
    analysis = with_tests(analysis_of(), "refuted")
    text = " ".join(analysis_text(analysis, 100).split())
    assert "Verdicts put to the test: 2 refuted, of 2 points" in text
    assert f"interconnect: refuted: {SENTENCE}" in text
    document = json.loads(json.dumps(analysis_as_json(analysis)))
    told = document["points"][0]["verifications"][0]
    assert (told["status"], told["limit"], told["ratio"]["value"]) == ("refuted", "interconnect", 1.06)
