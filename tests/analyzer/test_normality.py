from dataclasses import replace
from typing import Any

import pytest

from augment.problem import Problem, Shape
from saih.analyzer.normality import place
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.normality import Placed, Verdict
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import Environment, Phase
from saih.domain.trend import Analysis, Diagnosis, Limit, LossCheck, PointSummary, ScalingLine, ScalingRung
from saih.interchange.corpus import efficiencies, submissions


def around(value: float, relative: float = 0.01) -> Interval:
    return Interval(
        low=value * (1 - relative), value=value, high=value * (1 + relative), level=0.95, count=20
    )


def summary(
    *,
    resolution: int = 128,
    width: int = 32,
    device: Any = "cuda",
    precision: str = "bfloat16",
    ranks: int = 8,
    per_rank: float = 60.0,
    vendor_share: float | None = 0.04,
    measured_share: float | None = 0.1,
    exchange_s: float = 0.01,
) -> PointSummary:
    placement = Placement(ranks_per_node=ranks, data_parallel=ranks, device=device)
    point = Point(
        workload="cosmoflow",
        problem=Problem(
            data=Shape.of(samples=1024, resolution=resolution, channels=4),
            model=Shape.of(width=width, depth=1),
        ),
        batch_per_rank=1,
        precision=precision,
        exchange="ddp",
        placement=placement,
        timing=Timing(),
        seed=1,
    )
    step_ns = around(1e9 / per_rank)
    return PointSummary(
        point=point,
        record_id=f"{point.point_id}/attempt-1",
        labels={"data": f"{resolution}^3 x 4", "model": f"width {width}"},
        axis_sizes={"data": float(resolution**3), "model": float(width)},
        step_ns=step_ns,
        phases_ns={
            Phase.COMMUNICATION_TOTAL: around(exchange_s * 1e9),
            Phase.COMMUNICATION: around(exchange_s * 1e8),
        },
        flops_per_step=1e9,
        flops_per_s=step_ns.inverted(1e18),
        samples_per_s=around(per_rank * ranks),
        share_of_peak=None if measured_share is None else around(measured_share),
        share_of_vendor_peak=None if vendor_share is None else around(vendor_share),
        flops_per_byte=10.0,
        num_parameters=250_000,
        dataset_bytes=1024 * 1000,
        input_bytes=1000,
        stop_reason="",
        loss=LossCheck(first=1, last=0.5, is_learning=True, statement=""),
        diagnosis=Diagnosis(limit=Limit.COMPUTE, runner_up=None, shares={}, evidence=()),
    )


def curve(kind: CeilingKind, rate: float) -> Ceiling:
    return Ceiling(kind=kind, precision="", unit="", size_unit="bytes", sizes=(1e6,), rates=(around(rate),))


def analysis(
    *points: PointSummary,
    gpus: str = "8 x NVIDIA A100-SXM4",
    read: float = 1e9,
    lines: tuple[ScalingLine, ...] = (),
) -> Analysis:
    ceilings = {
        point.point.placement.label: Ceilings(
            environment_id="e",
            placement_label=point.point.placement.label,
            curves=(curve(CeilingKind.STORAGE_READ, read), curve(CeilingKind.ALL_REDUCE, 0.008)),
            measured_utc="2026-01-01T00:00:00+00:00",
            all_reduce_latency_s=None,
            all_reduce_bytes_per_s=None,
            vendor_flops_per_s={},
        )
        for point in points
    }
    return Analysis(
        sweep_name="s",
        environment=Environment(facts={"gpus": gpus}, notes={}, environment_id="e"),
        ceilings=tuple(ceilings.values()),
        points=points,
        trends=(),
        failed=(),
        dropped=(),
        num_planned=len(points),
        warnings=(),
        scaling=lines,
    )


def placed(found: Analysis) -> dict[str, Placed]:
    return {one.name: one for one in place(found, submissions(), efficiencies())}


def test_nothing_measured_places_nothing() -> None:
    assert place(analysis(), submissions(), efficiencies()) == ()


@pytest.mark.parametrize(
    ("per_rank", "share", "verdict"),
    [(60, 0.04, Verdict.BETWEEN), (500, 0.3, Verdict.ABOVE), (5, 0.003, Verdict.BELOW)],
)
def test_the_reference_problem_on_a_known_gpu_is_placed_among_its_public_figures(
    per_rank: float, share: float, verdict: Verdict
) -> None:
    found = placed(analysis(summary(per_rank=per_rank, vendor_share=share)))
    for name in ("public/rate", "public/share-of-makers-peak"):
        assert found[name].verdict is verdict
        assert "A100" in found[name].reference
        assert found[name].sources == tuple(one.name for one in submissions() if one.device.name == "A100")
    if verdict is Verdict.ABOVE:
        assert "Check that" in found["public/rate"].text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"resolution": 16}, "its grids are 16^3 x 4, not 128^3 x 4"),
        ({"width": 8}, "its network has width 8, depth 1"),
        ({"device": "cpu"}, "it ran on processors"),
    ],
)
def test_what_asks_something_else_is_not_placed_and_says_why(changes: dict[str, Any], reason: str) -> None:
    found = placed(analysis(summary(**changes)))
    assert found["public/rates"].verdict is Verdict.NOT_COMPARABLE
    assert reason in found["public/rates"].text
    assert found["public/rates"].value == ""
    assert not any(one.verdict in (Verdict.ABOVE, Verdict.BELOW) for one in found.values())


def test_one_comparable_point_is_placed_and_the_others_are_not() -> None:
    found = placed(analysis(summary(resolution=16, per_rank=9000), summary(per_rank=60)))
    assert found["public/rate"].verdict is Verdict.BETWEEN
    assert "128^3" in found["public/rate"].text


def test_a_gpu_without_public_figures_is_held_against_shares_of_others_and_no_rate() -> None:
    found = placed(analysis(summary(), gpus="4 x NVIDIA B300"))
    assert found["public/rate"].verdict is Verdict.NO_REFERENCE
    assert "B300" in found["public/rate"].text
    assert found["public/share-of-makers-peak"].verdict is Verdict.BETWEEN
    assert "A100, H100, V100" in found["public/share-of-makers-peak"].reference


def test_a_share_of_another_precisions_peak_is_not_placed() -> None:
    one = placed(analysis(summary(precision="float32", vendor_share=0.5)))["public/share-of-makers-peak"]
    assert one.verdict is Verdict.NOT_COMPARABLE
    assert "this ran in float32" in one.text


def test_an_unknown_makers_peak_is_said() -> None:
    one = placed(analysis(summary(vendor_share=None)))["public/share-of-makers-peak"]
    assert one.verdict is Verdict.NOT_COMPARABLE
    assert "is not known" in one.text


def test_figures_above_local_ceilings_are_told() -> None:
    found = placed(analysis(summary(measured_share=1.2, exchange_s=0.001), read=1000.0))
    assert found["local/share-of-peak"].verdict is Verdict.ABOVE
    assert found["local/input-rate"].verdict is Verdict.ABOVE
    assert "cache" in found["local/input-rate"].text
    assert found["local/all-reduce"].verdict is Verdict.ABOVE
    assert "all ranks take part" in found["local/all-reduce"].text


def test_figures_below_local_ceilings_are_within() -> None:
    found = placed(analysis(summary()))
    names = ("local/share-of-peak", "local/input-rate", "local/all-reduce")
    assert [found[name].verdict for name in names] == [Verdict.BETWEEN] * 3
    assert found["local/input-rate"].value.startswith("480")


def test_exposed_communication_is_shown_and_held_against_nothing() -> None:
    found = placed(analysis(summary(per_rank=10, exchange_s=0.1)))["public/exposed-communication"]
    assert found.verdict is Verdict.NO_REFERENCE
    assert found.value.startswith("10.0")


def test_without_ceilings_nothing_local_is_placed() -> None:
    bare = replace(analysis(summary(measured_share=None)), ceilings=())
    assert not [name for name in placed(bare) if name.startswith("local/")]


def line(first: PointSummary, last: PointSummary, efficiency: float) -> ScalingLine:
    def rung(point: PointSummary, of: float) -> ScalingRung:
        return ScalingRung(
            record_id=point.record_id,
            num_ranks=point.point.placement.num_ranks,
            placement_label=point.point.placement.label,
            batch_per_rank=1,
            step_ns=point.step_ns,
            samples_per_s=point.samples_per_s,
            speedup=around(1),
            efficiency=around(of, 0.001),
            share_of_peak=None,
            exposed_share=around(0.1),
            exposed_ns=around(1),
            communication_ns=None,
            balance=None,
            limit=Limit.COMPUTE,
        )

    return ScalingLine(
        scaling="weak",
        setting="",
        rungs=(rung(first, 1.0), rung(last, efficiency)),
        unmeasured=(),
        rises={},
        rising=None,
        findings=(),
    )


@pytest.mark.parametrize(
    ("ranks", "efficiency", "verdict"),
    [
        ((128, 1024), 0.94, Verdict.BETWEEN),
        ((128, 1024), 1.1, Verdict.ABOVE),
        ((128, 1024), 0.5, Verdict.BELOW),
        ((2, 8), 0.94, Verdict.NOT_COMPARABLE),
    ],
)
def test_weak_scaling_is_placed_only_between_the_scales_of_public_results(
    ranks: tuple[int, int], efficiency: float, verdict: Verdict
) -> None:
    points = [summary(ranks=one) for one in ranks]
    found = placed(analysis(*points, lines=(line(points[0], points[1], efficiency),)))["public/efficiency"]
    assert found.verdict is verdict
    assert found.record_ids == tuple(point.record_id for point in points)
    if verdict is Verdict.NOT_COMPARABLE:
        assert "it spans 2 to 8 ranks" in found.text


def test_the_corpus_gives_the_efficiencies_of_the_public_record() -> None:
    known = {one.name: one.efficiency for one in efficiencies()}
    assert known["Selene v1.0, 128 to 1024 A100"] == pytest.approx(0.939, abs=0.001)
    assert known["JUWELS Booster v1.0, 512 to 1024 A100"] == pytest.approx(0.969, abs=0.001)
    assert known["ABCI v0.7, 512 to 2048 V100"] == pytest.approx(0.913, abs=0.001)


def test_every_public_figure_names_its_source_and_stays_below_its_peak() -> None:
    assert len({one.folder for one in submissions()}) == len(submissions()) >= 15
    for one in submissions():
        assert "https://github.com/mlcommons/hpc_results_v" in one.citation
        assert one.folder in one.citation
        assert 0 < one.share_of_vendor_peak < 0.2
