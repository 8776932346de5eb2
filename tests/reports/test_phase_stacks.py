"""Which phases stand in the legends of stacks."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from saih.domain.record import STEP_PHASES, Phase
from saih.domain.trend import Analysis, PointSummary
from saih.reports.html_data import figures_json
from saih.reports.method import definitions
from saih.reports.phase_panels import PhasePanel, phase_panels
from saih.reports.stack_figure import PHASE_FILLS, NumberedPoint, phase_words, stack_figure
from tests.reports.svg_texts import boxes_of

AnalysisOf = Callable[..., Analysis]


def staged(point: PointSummary) -> PointSummary:
    """Inference in a pipeline: no backward pass, and a wait."""
    spent = point.phases_ns[Phase.FORWARD]
    phases = {**point.phases_ns, Phase.BACKWARD: spent.scaled(0.0), Phase.STAGE_WAIT: spent.scaled(0.5)}
    return replace(point, phases_ns=phases)


@pytest.mark.parametrize("is_small", [False, True])
def test_legends_name_the_phases_that_are_there(analysis_of: AnalysisOf, *, is_small: bool) -> None:
    plain = analysis_of().points[:3]

    def texts(points: tuple[PointSummary, ...]) -> set[str]:
        if is_small:
            svg = phase_panels([PhasePanel(title="a", points=points)], "data")
        else:
            svg = stack_figure([NumberedPoint(number=1, summary=point) for point in points])
        return {box.text for box in boxes_of(svg)}

    waiting, backward = phase_words(Phase.STAGE_WAIT), phase_words(Phase.BACKWARD)
    assert waiting not in texts(plain)
    assert backward in texts(plain)
    assert waiting in texts(tuple(staged(point) for point in plain))
    assert backward not in texts(tuple(staged(point) for point in plain))


def test_every_phase_of_a_step_has_a_fill_of_its_own() -> None:
    assert tuple(PHASE_FILLS) == STEP_PHASES
    assert len(set(PHASE_FILLS.values())) == len(STEP_PHASES)


def test_pages_hold_the_wait_of_the_points_that_have_one(analysis_of: AnalysisOf) -> None:
    analysis = analysis_of()
    first, *others = analysis.points
    found = json.loads(figures_json(replace(analysis, points=(staged(first), *others))))
    place = [phase["title"] for phase in found["phases"]].index(phase_words(Phase.STAGE_WAIT))
    assert [point["phases"][place] is not None for point in found["points"]] == [True, *[False] * len(others)]
    assert not found["phases"][place]["hidden"]


def test_definitions_name_every_phase_that_sums_to_a_step(analysis_of: AnalysisOf) -> None:
    points = analysis_of().points
    for shown, words in (
        (points, "optimizer, other. "),
        ([staged(points[0])], "other, waiting for other stages. "),
    ):
        (said,) = [text for text in definitions(shown) if text.startswith("Additive phases")]
        assert words in said
