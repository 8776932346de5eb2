"""Ranks that share samples: one line of the ranks axis, which ends where there are no planes for more."""

from types import SimpleNamespace

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.analyzer.analysis import analyze
from saih.analyzer.what_if import Evidence, what_if
from saih.domain.point import Placement
from saih.domain.record import Phase
from saih.domain.scaling import RankLadder, placed_on
from saih.domain.what_if import Forecast, Growth, Part, Scenario
from tests.analyzer.test_what_if import asked, removed

PROBLEM = Problem(data=Shape.of(samples=64, resolution=16, channels=2), model=Shape.of(depth=1, width=8))
LADDER = RankLadder(scaling="strong", ranks=(1, 2, 4), grows="spatial")


def evidence(synthetic: SimpleNamespace) -> Evidence:
    """Work that ranks share, and halos; a record for each rung."""
    records = []
    for ranks in LADDER.ranks:
        at = synthetic.point(
            workload="cosmoflow",
            problem=PROBLEM,
            exchange="none" if ranks == 1 else "ddp",
            placement=placed_on(Placement(ranks_per_node=4, data_parallel=4), ranks, LADDER.grows),
        )
        typical = {Phase.FORWARD: 6e7 / ranks, Phase.COMMUNICATION: 1e6 * (ranks - 1), Phase.OTHER: 1e6}
        measured = synthetic.steps(typical, np.random.default_rng(ranks), ranks=ranks, sigma=0.005)
        records.append(synthetic.record(at, measured))
    analysis = analyze("sweep", records, (), (), len(records), rank_ladder=LADDER)
    return Evidence(analysis=analysis, records=records, rank_ladder=LADDER)


def at_the_last(found: Evidence, factor: float) -> Forecast:
    return what_if(found, Scenario(growth=Growth(axis="ranks", factor=factor))).forecasts[-1]


def test_they_make_one_line_whose_curve_ends_at_half_the_planes(synthetic: SimpleNamespace) -> None:
    found = evidence(synthetic)
    (line,) = found.analysis.scaling
    assert [rung.num_ranks for rung in line.rungs] == [1, 2, 4]
    (trend,) = found.analysis.trends
    assert trend.step_curve[-1].size == 8
    (check,) = (one for one in trend.checks if one.name == "extrapolation factor")
    assert check.statement == "The curve ends at 8 ranks: the samples cannot be divided among more ranks."


def test_ranks_that_cannot_share_evenly_are_refused_by_name(synthetic: SimpleNamespace) -> None:
    found = evidence(synthetic)
    refused = at_the_last(found, 1.5)
    assert refused.predicted_ns is None
    assert (
        "6 ranks cannot divide its samples: spatial_parallel is 6: 6 ranks cannot share 16" in refused.refusal
    )
    assert at_the_last(found, 2.0).refusal == ""


def test_another_machine_is_not_foreseen_for_ranks_that_wait_all_through_a_step(
    synthetic: SimpleNamespace,
) -> None:
    told = repr(what_if(evidence(synthetic), asked(removed(Part.INTERCONNECT))))
    assert "its ranks divide a model or its samples and wait for each other" in told


def test_samples_count_once_for_all_ranks_that_share_them(synthetic: SimpleNamespace) -> None:
    summary = evidence(synthetic).analysis.points[-1]
    assert summary.point.placement.spatial_parallel == 4
    samples = summary.samples_per_s.value * summary.step_ns.value / 1e9
    assert samples == pytest.approx(summary.point.batch_per_rank)
