"""Ranks that divide one model: laws of theirs end where it cannot be divided further."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.analyzer.analysis import analyze
from saih.analyzer.what_if import Evidence, what_if
from saih.domain.point import Placement
from saih.domain.record import Phase
from saih.domain.scaling import Grows, RankLadder, placed_on
from saih.domain.what_if import Forecast, Growth, Scenario

NUM_HEADS, NUM_LAYERS = 6, 5
PROBLEM = Problem(data=Shape.of(sequence=16), model=Shape.of(layers=NUM_LAYERS, hidden=24, heads=NUM_HEADS))
NODE = Placement(ranks_per_node=8, data_parallel=8)


def evidence_of(synthetic: SimpleNamespace, ladder: RankLadder, base: Placement = NODE) -> Evidence:
    """Work that ranks share, and messages; a record for each rung."""
    records = []
    for ranks in ladder.ranks:
        at = synthetic.point(
            workload="energon",
            problem=PROBLEM,
            exchange="none",
            placement=placed_on(base, ranks, ladder.grows),
        )
        typical = {Phase.FORWARD: 6e7 / ranks, Phase.COMMUNICATION: 1e6 * (ranks - 1), Phase.OTHER: 1e6}
        measured = synthetic.steps(typical, np.random.default_rng(ranks), ranks=ranks, sigma=0.005)
        records.append(synthetic.record(at, measured))
    analysis = analyze("sweep", records, (), (), len(records), rank_ladder=ladder)
    return Evidence(analysis=analysis, records=records, rank_ladder=ladder)


def divided(synthetic: SimpleNamespace, grows: Grows) -> Evidence:
    return evidence_of(synthetic, RankLadder(scaling="strong", ranks=(1, 2, 3, 4), grows=grows))


def at_the_last(evidence: Evidence, factor: float) -> Forecast:
    forecasts: Sequence[Forecast] = what_if(
        evidence, Scenario(growth=Growth(axis="ranks", factor=factor))
    ).forecasts
    return forecasts[-1]


@pytest.mark.parametrize(("grows", "most"), [("tensor", NUM_HEADS), ("pipeline", NUM_LAYERS)])
def test_curves_end_where_a_model_has_no_part_for_one_rank_more(
    synthetic: SimpleNamespace, grows: Grows, most: int
) -> None:
    (trend,) = divided(synthetic, grows).analysis.trends
    assert trend.step_curve[-1].size == most
    (check,) = (one for one in trend.checks if one.name == "extrapolation factor")
    assert check.statement == f"The curve ends at {most} ranks: the model cannot be divided among more ranks."


@pytest.mark.parametrize(
    ("grows", "factor", "told"),
    [
        ("tensor", 2.0, "8 ranks cannot divide this model: 6 heads of keys and values cannot be shared by 8"),
        ("pipeline", 1.5, "6 ranks cannot divide this model: 5 layers cannot make 6 stages of a pipeline"),
    ],
)
def test_more_ranks_than_a_model_has_parts_are_refused_by_name(
    synthetic: SimpleNamespace, grows: Grows, factor: float, told: str
) -> None:
    evidence = divided(synthetic, grows)
    refused = at_the_last(evidence, factor)
    assert refused.predicted_ns is None
    assert told in refused.refusal
    foreseen = at_the_last(evidence, 1.25)
    assert foreseen.refusal == ""
    assert foreseen.predicted_ns is not None


def test_ranks_that_are_no_whole_replicas_are_refused(synthetic: SimpleNamespace) -> None:
    ladder = RankLadder(scaling="weak", ranks=(2, 4, 8))
    evidence = evidence_of(synthetic, ladder, Placement(ranks_per_node=8, data_parallel=4, tensor_parallel=2))
    assert "9 ranks are no whole replicas of a model" in at_the_last(evidence, 9 / 8).refusal
    assert "no whole replicas" not in at_the_last(evidence, 10 / 8).refusal
