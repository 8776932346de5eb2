import json
from collections.abc import Callable
from dataclasses import replace

from saih.domain.comparison import Comparison
from saih.domain.trend import Analysis
from saih.reports.analysis_json import analysis_as_json, comparison_as_json

AnalysisOf = Callable[..., Analysis]


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
    (pair,) = document["pairs"]
    assert pair["geometric_mean"]["level"] == 0.95
    first = pair["matched"][0]
    assert first["labels"]["data"] == "32^3 x 4"
    assert set(first["ratios"]) == {"per system", "per node", "per rank", "per share of peak"}
