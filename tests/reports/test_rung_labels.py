from collections.abc import Callable
from dataclasses import replace

import pytest

from saih.domain.comparison import Comparison
from saih.domain.trend import Analysis
from saih.reports.rung_labels import matched_apart, told_apart

AnalysisOf = Callable[..., Analysis]
ComparisonOf = Callable[..., Comparison]


def data_labels(analysis: Analysis, labels: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What remains of data labels, and what is said once."""
    points = tuple(
        replace(point, labels={"data": label}) for point, label in zip(analysis.points, labels, strict=True)
    )
    shorter, shared = told_apart(replace(analysis, points=points, failed=()))
    return tuple(point.labels["data"] for point in shorter.points), shared


def test_parts_that_all_rungs_share_are_said_once(analysis_of: AnalysisOf) -> None:
    labels = ("16^3 x 4, 32 samples of 8 universes", "32^3 x 4, 32 samples of 8 universes")
    short, shared = data_labels(analysis_of(2, 1), labels)
    assert short == ("16^3 x 4", "32^3 x 4")
    assert shared == ("32 samples of 8 universes",)


@pytest.mark.parametrize("labels", [("a, b", "a, b"), ("a", "a, b"), ("a, b", "c, d"), ("a, a, b", "a, b")])
def test_labels_that_would_vanish_or_meet_stay_whole(
    analysis_of: AnalysisOf, labels: tuple[str, str]
) -> None:
    assert data_labels(analysis_of(2, 1), labels) == (labels, ())


def test_failed_points_lose_the_same_parts(analysis_of: AnalysisOf) -> None:
    shorter, shared = told_apart(analysis_of(2, 2, suffix=", same"))
    assert shared == ("same", "same")
    assert {point.labels["model"] for point in (*shorter.points, *shorter.failed)} == {"width 8", "width 16"}


def matched_labels(
    comparison: Comparison, labels: tuple[dict[str, str], ...]
) -> tuple[list[str], tuple[str, ...]]:
    points = tuple(
        replace(point, labels=label)
        for point, label in zip(comparison.pairs[0].matched, labels, strict=False)
    )
    shorter, shared = matched_apart(replace(comparison.pairs[0], matched=points))
    return [", ".join(point.labels.values()) for point in shorter.matched], shared


def test_matched_points_are_told_apart_by_what_differs_alone(comparison_of: ComparisonOf) -> None:
    labels = tuple(
        {"data": f"{side}^3 x 4, 8 samples", "model": "width 8, depth 1", "placement": "1 node"}
        for side in (16, 32)
    )
    short, shared = matched_labels(comparison_of(2), labels)
    assert short == ["16^3 x 4", "32^3 x 4"]
    assert shared == ("8 samples", "width 8, depth 1", "1 node")


def test_a_single_matched_point_keeps_its_labels(comparison_of: ComparisonOf) -> None:
    assert matched_labels(comparison_of(1), ({"data": "16^3", "model": "width 8"},)) == (
        ["16^3, width 8"],
        (),
    )
