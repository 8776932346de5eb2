from collections.abc import Callable
from dataclasses import replace

from saih.domain.point import Placement
from saih.domain.trend import Analysis, Limit, PointSummary
from saih.reports.advice import advice

AnalysisOf = Callable[..., Analysis]


def held_back(point: PointSummary, limit: Limit) -> PointSummary:
    return replace(point, diagnosis=replace(point.diagnosis, limit=limit))


def test_every_verdict_has_something_to_try(analysis_of: AnalysisOf) -> None:
    point = analysis_of().points[0]
    told = {limit: advice([held_back(point, limit)]) for limit in Limit}
    assert all(len(claims) == 1 for claims in told.values())
    assert len({claims[0].text for claims in told.values()}) == len(Limit)


def test_the_commonest_verdicts_come_first_and_name_their_points(analysis_of: AnalysisOf) -> None:
    points = analysis_of().points[:10]
    limits = [Limit.INPUT] * 2 + [Limit.MEMORY] * 4 + [Limit.COMPUTE] * 3 + [Limit.MIXED]
    points = [held_back(point, limit) for point, limit in zip(points, limits, strict=True)]
    claims = advice(points)
    assert [claim.claim_id for claim in claims] == ["to-try/memory", "to-try/compute", "to-try/input"]
    assert [len(claim.record_ids) for claim in claims] == [4, 3, 2]
    assert claims[0].text.startswith("Memory (4 points): ")


def test_without_points_there_is_nothing_to_try() -> None:
    assert advice([]) == ()


def test_ranks_that_divide_a_model_are_told_what_helps_them(analysis_of: AnalysisOf) -> None:
    point = analysis_of().points[0]
    placement = Placement(ranks_per_node=2, pipeline_parallel=2)
    divided = replace(point, point=replace(point.point, placement=placement, exchange="none"))
    for limit, words in ((Limit.IMBALANCE, "fill a pipeline"), (Limit.INTERCONNECT, "fewer ranks")):
        (claim,) = advice([held_back(divided, limit)])
        assert words in claim.text
        (claim,) = advice([held_back(divided, limit), held_back(point, limit)])
        assert words not in claim.text
