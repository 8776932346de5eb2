import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from saih.domain.trend import Analysis, Comparison
from saih.reports.analysis_json import analysis_as_json, comparison_as_json
from saih.reports.terminal import summary_lines

AnalysisOf = Callable[..., Analysis]


def test_the_terminal_shows_headline_findings_warnings_points_and_failures(analysis_of: AnalysisOf) -> None:
    lines = summary_lines(analysis_of())
    text = "\n".join(lines)
    assert lines[0].startswith("cosmoflow-small: share of measured peak ")
    assert "Warnings" in lines
    assert sum(line.endswith(("memory", "compute")) for line in lines) == 12
    assert "512^3 x 4, width 8: out of memory after 2 attempts" in text
    assert "needs 61 GB of memory per rank" in text


@pytest.mark.parametrize("shape", [{}, {"all_fail": True}, {"num_data": 1, "num_model": 1}])
def test_sentences_of_the_terminal_keep_the_width(analysis_of: AnalysisOf, shape: dict[str, object]) -> None:
    sentences = [line for line in summary_lines(analysis_of(**shape), 80) if line.startswith(("- ", "  "))]
    assert sentences
    assert all(len(line) <= 80 for line in sentences)


def test_the_terminal_is_never_steered_by_a_name(analysis_of: AnalysisOf) -> None:
    text = "\n".join(summary_lines(analysis_of(name="\x1b[2Jgone\x9b5m", suffix="\x1b]0;title\x07")))
    assert text.startswith("gone: ")
    assert not any(ord(character) < 32 and character != "\n" for character in text)


def test_without_ceilings_the_terminal_shows_rates(analysis_of: AnalysisOf) -> None:
    lines = summary_lines(analysis_of(with_ceilings=False))
    assert "share of measured peak" not in lines[0]
    assert "FLOP/s" in lines[0]


def test_the_json_form_is_plain_and_keeps_every_interval(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    document = json.loads(json.dumps(analysis_as_json(analysis), allow_nan=False))
    first = analysis.points[0]
    assert (document["schema"], document["version"]) == ("saih.analysis", 1)
    assert document["points"][0]["step_ns"] == {
        "low": first.step_ns.low,
        "value": first.step_ns.value,
        "high": first.step_ns.high,
        "level": 0.95,
        "count": 24,
    }
    assert document["points"][0]["point"]["point_id"] == first.point.point_id
    assert document["points"][0]["phases_ns"]["forward"]["count"] == 24
    assert document["failed"][0]["outcome"] == "out_of_memory"
    assert document["trends"][0]["checks"][1]["passed"] is None


def test_a_number_that_is_not_finite_becomes_null(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of(1, 1, edge_fails=False)
    odd = replace(analysis.points[0], flops_per_byte=float("inf"))
    document = analysis_as_json(replace(analysis, points=(odd,)))
    assert document["points"][0]["flops_per_byte"] is None


def test_a_comparison_has_the_same_form(comparison_of: Callable[..., Comparison]) -> None:
    document = json.loads(json.dumps(comparison_as_json(comparison_of()), allow_nan=False))
    assert document["schema"] == "saih.comparison"
    assert document["matched"][0]["speed_ratio"]["level"] == 0.95
    assert document["matched"][0]["labels"] == {"data": "32^3 x 4", "model": "width 8"}
