"""Points of devices and links that the problem gives: trends along links alone, ceilings that were given."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.analyzer.analysis import analyze
from saih.analyzer.summary import summarize
from saih.analyzer.trends import find_trends
from saih.domain.contention import Pressure, contention_notes
from saih.domain.point import Placement, Point
from saih.domain.record import Phase, Record
from saih.domain.trend import Limit, PointSummary
from workloads.galaxy.cost import Galaxy

PLACEMENT = Placement(ranks_per_node=2, tensor_parallel=2)
MODEL = {"family": "bert", "layers": 2, "hidden": 64, "heads": 4, "vocab": 64, "strategy": "hybrid"}


def point(synthetic: SimpleNamespace, link_mbit: int, sequence: int = 64, **model: str) -> Point:
    data = Shape.of(sequence=sequence, link_mbit=link_mbit, speeds="20:10")
    return synthetic.point(
        workload="galaxy", problem=Problem(data=data, model=Shape.of({**MODEL, **model})),
        placement=PLACEMENT, batch_per_rank=1, exchange="none",
    )  # fmt: skip


def record_of(synthetic: SimpleNamespace, at: Point, forward_ns: float, waiting_ns: float) -> Record:
    generator = np.random.default_rng(3)
    typical = {Phase.FORWARD: forward_ns, Phase.COMMUNICATION: waiting_ns}
    return synthetic.record(at, synthetic.steps(typical, generator, ranks=2))


def summary_of(synthetic: SimpleNamespace, at: Point, forward_ns: float, waiting_ns: float) -> PointSummary:
    record = record_of(synthetic, at, forward_ns, waiting_ns)
    assert record.result.steps is not None
    return summarize(record, record.result.steps, Galaxy(), None)


def test_links_have_trends_of_their_own_and_data_keep_theirs(synthetic: SimpleNamespace) -> None:
    points = [
        summary_of(synthetic, point(synthetic, rate, sequence, strategy=strategy), 1e6, 8e8 / rate)
        for rate in (400, 100, 25)
        for sequence in (64, 128)
        for strategy in ("hybrid", "even")
    ]
    trends = find_trends(points, Galaxy().axes, ())
    lengths = {
        axis: [len(one.sizes) for one in trends if one.axis == axis] for axis in ("data", "cluster", "model")
    }
    assert lengths == {"data": [2] * 6, "cluster": [3] * 4, "model": []}
    trend = next(one for one in trends if one.axis == "cluster")
    assert trend.sizes == pytest.approx((20.0, 80.0, 320.0))
    assert [label.split(",")[0] for label in trend.labels] == ["400 Mbit/s", "100 Mbit/s", "25 Mbit/s"]


def test_an_axis_along_which_no_group_of_points_differs_has_no_trend(synthetic: SimpleNamespace) -> None:
    points = [summary_of(synthetic, point(synthetic, rate), 1e6, 8e8 / rate) for rate in (400, 100, 25)]
    assert {trend.axis for trend in find_trends(points, Galaxy().axes, ())} == {"cluster"}


def test_devices_that_wait_in_place_of_computing_are_held_against_their_speeds(
    synthetic: SimpleNamespace,
) -> None:
    at = point(synthetic, 100)
    cost = Galaxy().cost(at.problem, batch_per_rank=1, precision="float32", degrees=PLACEMENT.degrees)
    computing_ns = cost.flops / 15e9 * 1e9
    slow = summary_of(synthetic, at, computing_ns * 1.05, computing_ns / 10)
    assert slow.diagnosis.limit in (Limit.COMPUTE, Limit.CEILING)
    assert slow.share_of_peak is not None
    assert slow.share_of_peak.value == pytest.approx(1 / 1.15, rel=0.1)
    waiting = summary_of(synthetic, at, computing_ns * 1.05, computing_ns * 4)
    assert waiting.diagnosis.limit is Limit.INTERCONNECT
    words = " ".join(" ".join(waiting.diagnosis.evidence).split())
    assert "100 Mbit/s that links are held to" in words
    assert "peak that ranks are held to" in words
    assert "radient" not in words


def test_a_share_of_what_the_busiest_device_leaves_is_not_called_one_of_the_whole_peak(
    synthetic: SimpleNamespace,
) -> None:
    at = point(synthetic, 100, strategy="even")
    cost = Galaxy().cost(at.problem, batch_per_rank=1, precision="float32", degrees=PLACEMENT.degrees)
    assert cost.given is not None
    assert cost.given.busiest_over_mean == pytest.approx(1.5)  # half of the work at 10 of 15 GFLOP/s
    words = " ".join(" ".join(summary_of(synthetic, at, cost.flops / 7, 1e3).diagnosis.evidence).split())
    assert (
        "of 20.0 GFLOP/s: what is left of the peak that ranks are held to, 30.0 GFLOP/s, where all" in words
    )


@pytest.mark.parametrize(("mode", "is_held_against"), [("paced", False), ("real", True)])
def test_devices_that_a_testbed_paces_are_held_against_no_ceilings(
    synthetic: SimpleNamespace, mode: str, *, is_held_against: bool
) -> None:
    at = synthetic.point(
        workload="galaxy",
        problem=Problem(data=Shape.of(sequence=64), model=Shape.of(MODEL)),
        placement=PLACEMENT, batch_per_rank=1, exchange="none",
    )  # fmt: skip
    record = record_of(synthetic, at, 1e6, 1e5)
    noted = replace(record, result=replace(record.result, notes={"mode": f"{mode} devices, real links"}))
    assert record.result.steps is not None
    summary = summarize(noted, record.result.steps, Galaxy(), synthetic.ceilings())
    assert (summary.share_of_peak is not None) is is_held_against
    assert (Limit.COMPUTE in summary.diagnosis.shares) is is_held_against


def test_links_that_differ_a_thousandfold_are_no_mistaken_units(synthetic: SimpleNamespace) -> None:
    records = [
        record_of(
            synthetic,
            point(synthetic, rate, sequence),
            1e4,
            1e3 * sequence if rate == 10_000 else 1e6 * sequence,
        )
        for sequence in (32, 64, 128, 256, 512)
        for rate in ((10_000, 10) if sequence == 64 else (10_000,))
    ]
    analysis = analyze("sweep", records, [], [], 6, find_workload=lambda _: Galaxy())
    assert not analysis.failed


def test_neighbours_that_take_processors_do_not_hold_up_who_waits_in_place_of_computing(
    synthetic: SimpleNamespace,
) -> None:
    at = point(synthetic, 100)
    cost = Galaxy().cost(at.problem, batch_per_rank=1, precision="float32", degrees=PLACEMENT.degrees)
    record = record_of(synthetic, at, cost.flops / 15, cost.flops / 150)
    assert record.result.steps is not None
    crowded = {Pressure.ELAPSED: 1000, Pressure.CPU_SOME: 900, Pressure.OTHERS: 800}
    noted = replace(record, result=replace(record.result, notes=contention_notes(crowded)))
    summary = summarize(noted, record.result.steps, Galaxy(), None)
    assert not summary.diagnosis.is_contended
    assert summary.diagnosis.limit in (Limit.COMPUTE, Limit.CEILING)
