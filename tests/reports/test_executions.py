"""What reports say of executions; nothing where steps were executed plainly."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from saih.domain.execution_gain import ExecutionGain
from saih.domain.interval import Interval
from saih.domain.trend import Analysis
from saih.domain.tuning import SEARCH_NOTE
from saih.reports.document import Table
from saih.reports.execution_section import execution_section
from saih.reports.execution_text import execution_lines
from saih.reports.execution_words import gain_claims, gain_lines
from saih.reports.tables import lead, points_table
from saih.reports.terminal import points_lines
from saih.reports.terminal_analysis import analysis_text
from saih.reports.trend_report import trend_claims, trend_document
from workloads.execution import REFERENCE, TUNED, Execution

FOUND = Execution(name="found", precision="bfloat16", kernels="own")


@pytest.fixture
def twice(analysis_of: Callable[..., Analysis]) -> Analysis:
    """Every point as reference, and three times as fast as tuned."""
    plain = analysis_of()
    points, gains = [], []
    for point in plain.points:
        for execution, ran in ((REFERENCE, REFERENCE), (TUNED, FOUND)):
            own = replace(point.point, execution=execution)
            labels = {**point.labels, "execution": execution.label}
            record_id = f"{own.point_id}/attempt-1"
            points.append(replace(point, point=own, execution=ran, labels=labels, record_id=record_id))
        gains.append(
            ExecutionGain(
                labels=point.labels,
                axis_sizes=point.axis_sizes,
                placement_label=point.point.placement.label,
                name="tuned",
                baseline="reference",
                settings=FOUND.words,
                ratio=Interval(low=2.9, value=3.1, high=3.3, level=0.95, count=20),
                record_id=points[-1].record_id,
                baseline_record_id=points[-2].record_id,
            )
        )
    return replace(plain, points=tuple(points), gains=tuple(gains), trends=(), scaling=())


def test_the_gain_is_a_finding_and_a_line_for_each_rung(twice: Analysis) -> None:
    (claim,) = gain_claims(twice)
    largest = max(twice.gains, key=lambda gain: gain.axis_sizes["data"] * gain.axis_sizes["model"])
    assert claim.text.startswith("Tuned is 3.10x [2.90,\N{NO-BREAK SPACE}3.30] the reference at ")
    assert largest.labels["data"] in claim.text
    assert "bfloat16, own kernels" in claim.text
    assert len(claim.record_ids) == len(twice.points)
    lines = gain_lines(twice, 200)
    assert len(lines) == 1 + min(len(twice.gains), 25)
    section = execution_section(twice)
    assert section is not None
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert len(table.rows) == min(len(twice.gains), 40)


def test_the_report_and_the_terminal_show_them(twice: Analysis) -> None:
    document = trend_document(twice)
    assert "Executions: what tuning brings" in [section.title for section in document.sections]
    ids = [claim.claim_id for claim in trend_claims(twice, document).claims]
    assert ids.count("execution/tuned") == 1
    text = analysis_text(twice, 120)
    assert "Tuned is 3.10x" in text
    assert "What executions bring" in text
    assert " execution " in points_lines(twice, 140)[0]
    table = points_table(lead(twice.points))
    column = [one.title for one in table.columns].index("execution")
    assert {row[column] for row in table.rows} == {"reference", "tuned: bfloat16, own kernels"}


def test_nothing_is_said_where_all_is_plain(analysis_of: Callable[..., Analysis]) -> None:
    plain = analysis_of()
    assert execution_section(plain) is None
    assert gain_claims(plain) == ()
    assert gain_lines(plain, 80) == []
    assert "execution" not in [one.title for one in points_table(lead(plain.points)).columns]
    assert "Executions: what tuning brings" not in [one.title for one in trend_document(plain).sections]


def test_a_point_tells_its_settings_and_what_was_tried(twice: Analysis) -> None:
    reference, tuned = twice.points[:2]
    note = {
        "candidates": [
            {"setting": "precision", "value": "bfloat16", "verdict": "kept", "gain": [1.9, 2.1, 2.3],
             "step_ns": 1e6, "reason": ""},
            {"setting": "compiler", "value": "inductor", "verdict": "failed", "gain": None, "step_ns": None,
             "reason": "no C++ compiler"},
        ],
        "duration_s": 12.3, "is_reused": False,
    }  # fmt: skip
    told = dict(execution_lines(tuned, {SEARCH_NOTE: json.dumps(note)}))
    assert told["settings"] == "tuned: bfloat16, own kernels"
    assert told["searched by"] == "2 trials in 12.3 s"
    assert told["kept"] == "precision bfloat16 (2.1x)"
    assert told["failed"] == "compiler inductor (no C++ compiler)"
    assert dict(execution_lines(reference, {})) == {"settings": "reference"}


@pytest.mark.parametrize(
    "note", ["", "{", "[]", '{"candidates": 5}', '{"candidates": [{}], "duration_s": 1}']
)
def test_a_note_that_is_none_of_a_search_says_nothing(twice: Analysis, note: str) -> None:
    assert len(execution_lines(twice.points[1], {SEARCH_NOTE: note})) == 1
