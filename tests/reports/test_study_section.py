"""Gates and fronts of searches, in the report, on a terminal and in JSON."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from study_samples import learned, search, validation

from saih.analyzer.study import with_studies
from saih.domain.claim import Claim
from saih.domain.study import Studies, Validation, subject_id_of
from saih.domain.trend import Analysis
from saih.reports.analysis_json import analysis_as_json
from saih.reports.caution import cautions, confidence
from saih.reports.document import Bullets, Picture, Table
from saih.reports.study_section import TITLE, study_section
from saih.reports.study_text import search_lines, validation_lines
from saih.reports.study_words import mark_of
from saih.reports.terminal_analysis import analysis_text
from saih.reports.trend_report import trend_document, write_report

Make = Callable[..., Analysis]


def studied(analysis: Analysis, *verdicts: str) -> Analysis:
    """The first problems studied, with these verdicts of their gates."""
    ids = list(dict.fromkeys(subject_id_of(point.point) for point in analysis.points))
    found: dict[str, Validation] = {
        subject_id: validation(subject_id, letters)
        for subject_id, letters in zip(ids, verdicts, strict=False)
    }
    return with_studies(analysis, Studies(validations=found, search=None))


def texts(items: tuple[str | Claim, ...]) -> str:
    return " ".join(item.text if isinstance(item, Claim) else item for item in items)


def test_without_a_study_there_is_no_section_but_a_line_of_caution(analysis_of: Make) -> None:
    analysis = analysis_of()
    assert study_section(analysis) is None
    assert TITLE not in [section.title for section in trend_document(analysis).sections]
    assert "Worth learning" not in analysis_text(analysis)
    assert "gates did not run (`saih validate`)" in texts(cautions(analysis))
    assert "saih validate" not in texts(confidence(analysis))


def test_points_that_learn_nothing_are_not_asked_for_gates(analysis_of: Make) -> None:
    analysis = analysis_of()
    points = tuple(replace(point, loss=replace(point.loss, is_learning=None)) for point in analysis.points)
    assert "saih validate" not in texts(cautions(replace(analysis, points=points)))


def test_every_point_is_marked_and_every_failed_gate_is_a_claim(analysis_of: Make) -> None:
    analysis = studied(analysis_of(), "ppppppppp", "pppppfppp", "ppnpppppp")
    marks = [mark_of(point) for point in analysis.points]
    assert marks[:4] == ["passed", "failed", "not run", "not run"]
    section = study_section(analysis)
    assert section is not None
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert [row[2] for row in table.rows] == marks
    assert table.rows[1][4:] == ("yes",) * 5 + ("NO",) + ("yes",) * 3
    assert table.rows[2][4:7] == ("yes", "yes", "-")
    assert table.rows[3][4:] == ("-",) * 9
    (bullets,) = [block for block in section.blocks if isinstance(block, Bullets)]
    claims = [item for item in bullets.items if isinstance(item, Claim)]
    assert f"passed at 1, failed at 1, not run at {len(marks) - 2}" in claims[0].text
    assert "G5 (the network beats the ridge) failed: the error is 0.350" in claims[1].text
    assert claims[1].record_ids == (analysis.points[1].record_id,)
    assert "passed at 1, failed at 1" in texts(confidence(analysis))
    assert "did not run" not in texts(cautions(analysis))
    assert TITLE in [one.title for one in trend_document(analysis).sections]


def test_points_on_other_ranks_share_the_study_of_their_problem(analysis_of: Make) -> None:
    analysis = studied(analysis_of(2, 1, ranks=(1, 2), edge_fails=False), "ppppppppp")
    assert sorted(mark_of(point) for point in analysis.points) == ["not run"] * 2 + ["passed"] * 2


def test_the_front_of_a_search_is_drawn_with_its_intervals_and_baselines(analysis_of: Make) -> None:
    analysis = replace(analysis_of(), search=search())
    section = study_section(analysis)
    assert section is not None
    (picture,) = [block for block in section.blocks if isinstance(block, Picture)]
    for word in ("best at each cost", "only deepened", "ridge", "constant", "validation mean absolute error"):
        assert word in picture.svg
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert [row[-1] for row in table.rows] == ["yes", "yes", "-", "yes", "-"]
    assert table.rows[0][2] == "0.420 [0.400, 0.440]"
    assert "(only deepened)" in table.rows[-1][1]
    (bullets,) = [block for block in section.blocks if isinstance(block, Bullets)]
    assert "3 of 4 rungs on the front" in texts(bullets.items)


def test_a_front_of_one_rung_and_one_seed_is_drawn_too(analysis_of: Make) -> None:
    one = replace(learned(1e9, 0.4), seeds=(0,), losses=(0.4,))
    one = replace(one, loss=replace(one.loss, low=0.4, high=0.4, count=1))
    found = search()
    found = replace(found, frontier=replace(found.frontier, rungs=(one,), deepened=(), baselines={}))
    section = study_section(replace(analysis_of(), search=found))
    assert section is not None
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    assert table.rows[0][2] == "0.400"


def test_terminals_and_programs_are_told_too(analysis_of: Make) -> None:
    analysis = replace(studied(analysis_of(), "pppppfppp"), search=search())
    text = " ".join(analysis_text(analysis, 100).split())
    assert "failed at 1" in text
    assert "G5 (the network beats the ridge) failed" in text
    assert "Models that learn best at their cost" in text
    document = json.loads(json.dumps(analysis_as_json(analysis)))
    assert document["points"][0]["validation"]["findings"]["gates"][5]["verdict"] == "failed"
    assert document["points"][1]["validation"] is None
    assert document["search"]["frontier"]["rungs"][0]["loss"]["value"] == 0.42
    lines = validation_lines([("16^3", validation("0" * 16))], 80)
    assert lines[0] == "16^3: FAILED: 8 of 9 gates passed, 1 failed (G5)"
    assert max(map(len, lines)) <= 80
    assert any("width 640, depth 1" in line for line in search_lines(search(), 120))


@pytest.mark.slow
def test_a_report_with_gates_and_a_front_is_typeset(analysis_of: Make, tmp_path: Path) -> None:
    analysis = replace(studied(analysis_of(), "ppppppppp", "pppppfppp"), search=search())
    assert write_report(analysis, tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
