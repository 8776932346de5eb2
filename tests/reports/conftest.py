"""Analyses with deterministic numbers of a plausible machine, so that reports can be judged without a run."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from augment.problem import Problem, Shape
from saih.analyzer.comparison import compare
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.comparison import Comparison
from saih.domain.interval import Interval
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import ADDITIVE_PHASES, Environment, Outcome, Phase
from saih.domain.scaling import Scaling
from saih.domain.sweep import DroppedPoint
from saih.domain.system import System, SystemPoint, key_of
from saih.domain.trend import (
    Analysis,
    Check,
    CurvePoint,
    Diagnosis,
    FailedPoint,
    Fit,
    Limit,
    LossCheck,
    PointSummary,
    RankBalance,
    ScalingLine,
    ScalingRung,
    Trend,
)

PEAK_FLOPS_PER_S = 184e9
MEMORY_BYTES_PER_S = 21.4e9
STORAGE_BYTES_PER_S = 310e6
CONTENDED = "Runs were contended: other processes used 34 % of the cores during 3 points."


def around(value: float, relative: float = 0.012, count: int = 24, level: float = 0.95) -> Interval:
    return Interval(
        low=value * (1 - relative), value=value, high=value * (1 + relative), level=level, count=count
    )


def problem_at(edge: int, width: int) -> Problem:
    return Problem(data=Shape.of(edge=edge, channels=4, samples=256), model=Shape.of(width=width, depth=2))


def point_at(edge: int, width: int, ranks: int = 2) -> Point:
    return Point(
        workload="cosmoflow",
        problem=problem_at(edge, width),
        batch_per_rank=4,
        precision="float32",
        exchange="ddp" if ranks > 1 else "none",
        placement=Placement(ranks_per_node=ranks, data_parallel=ranks),
        timing=Timing(),
        seed=1,
    )


def labels_at(edge: int, width: int, suffix: str) -> dict[str, str]:
    return {"data": f"{edge}^3 x 4{suffix}", "model": f"width {width}{suffix}"}


def phases_at(edge: int, width: int, ranks: int) -> dict[Phase, Interval]:
    flops = 40 * edge**3 * width**1.6 * 4 * ranks
    efficiency = 0.46 * width**1.5 / (width**1.5 + 45) * edge**2 / (edge**2 + 900)
    compute_s = flops / (efficiency * PEAK_FLOPS_PER_S * ranks / 2)
    produce_s = 4 * edge**3 * 4 * 2 * ranks / STORAGE_BYTES_PER_S + 0.004
    parameters = 4e3 * width**1.8
    total_communication_s = 0.0012 + 8 * parameters / 1.1e9 if ranks > 1 else 0.0
    seconds = {
        Phase.INPUT_WAIT: max(produce_s - compute_s, 0.02 * produce_s),
        Phase.FORWARD: 0.34 * compute_s,
        Phase.BACKWARD: 0.66 * compute_s,
        Phase.COMMUNICATION: 0.4 * total_communication_s,
        Phase.OPTIMIZER: 0.0006 + parameters * 2e-9,
        Phase.OTHER: 0.0009,
        Phase.INPUT_PRODUCE: produce_s,
        Phase.COMMUNICATION_TOTAL: total_communication_s,
    }
    return {phase: around(1e9 * value, 0.02) for phase, value in seconds.items()}


def summary_at(edge: int, width: int, ranks: int, suffix: str, *, with_ceilings: bool) -> PointSummary:
    phases = phases_at(edge, width, ranks)
    step_ns = sum(phases[phase].value for phase in ADDITIVE_PHASES)
    flops = 40 * edge**3 * width**1.6 * 4 * ranks
    rate = flops / (step_ns * 1e-9)
    peak = PEAK_FLOPS_PER_S * ranks / 2
    waits = phases[Phase.INPUT_WAIT].value / step_ns
    limit = Limit.INPUT if waits > 0.4 else Limit.MEMORY if rate / peak < 0.2 else Limit.COMPUTE
    if not with_ceilings:
        limit = Limit.UNKNOWN
    index = int(math.log2(edge)) + width
    return PointSummary(
        point=point_at(edge, width, ranks),
        record_id=f"{point_at(edge, width, ranks).point_id}/attempt-1",
        labels=labels_at(edge, width, suffix),
        axis_sizes={"data": float(edge**3 * 4), "model": 4e3 * width**1.8},
        step_ns=around(step_ns),
        phases_ns=phases,
        flops_per_step=flops,
        flops_per_s=around(rate),
        samples_per_s=around(4 * ranks / (step_ns * 1e-9)),
        share_of_peak=around(rate / peak) if with_ceilings else None,
        share_of_vendor_peak=around(rate / (1.4 * peak)) if with_ceilings else None,
        flops_per_byte=1.5 * width * edge**0.3 / 4,
        num_parameters=int(4e3 * width**1.8),
        dataset_bytes=256 * edge**3 * 4 * 2,
        stop_reason="interval 1.8 % after 24 steps" if index % 3 else "budget of 20 s spent at 3.1 %",
        loss=LossCheck(
            first=0.31,
            last=0.24 if index % 4 else 0.33,
            is_learning=index % 4 != 0,
            statement="fell from 0.31 to 0.24" if index % 4 else "rose from 0.31 to 0.33: not learning yet",
        ),
        diagnosis=Diagnosis(
            limit=limit,
            runner_up=Limit.COMPUTE if limit is not Limit.COMPUTE else Limit.MEMORY,
            shares={limit: around(0.7), Limit.UNEXPLAINED: around(0.3)},
            evidence=(f"the accused part takes {70 + index % 9} % of the step",),
        ),
    )


def trend_over(axis: str, points: Sequence[PointSummary]) -> Trend:
    ordered = sorted(points, key=lambda point: point.axis_sizes[axis])
    other = "model" if axis == "data" else "data"
    sizes = tuple(point.axis_sizes[axis] for point in ordered)
    has_law = len(ordered) >= 3
    step_curve = curve_through(sizes, [point.step_ns.value for point in ordered]) if has_law else ()
    shares = [point.share_of_peak for point in ordered]
    values = [share.value for share in shares if share is not None]
    share_curve = curve_through(sizes, values) if has_law and len(values) == len(sizes) else ()
    fit = Fit(
        phase=None,
        terms=("1", "x"),
        coefficients=(12.1e6, 3.4e6),
        scale=sizes[0],
        residual=0.034,
        text=f"12.1 ms + 3.4 ms (x / {sizes[0]:.0f})",
    )
    return Trend(
        axis=axis,
        size_label="voxels per sample" if axis == "data" else "parameters",
        fixed=f"{other} {ordered[0].labels.get(other, 'as given')}, {ordered[0].point.placement.label}",
        record_ids=tuple(point.record_id for point in ordered),
        labels=tuple(point.labels[axis] for point in ordered),
        sizes=sizes,
        step_ns=tuple(point.step_ns for point in ordered),
        share_of_peak=tuple(shares),
        total=fit if has_law else None,
        components=(replace(fit, phase=Phase.FORWARD), replace(fit, phase=Phase.BACKWARD)) if has_law else (),
        step_curve=step_curve,
        share_curve=share_curve,
        checks=checks_of(len(ordered)),
    )


def checks_of(num_points: int) -> tuple[Check, ...]:
    has_law = num_points >= 3
    verdict = "enough" if has_law else "too few"
    regime = "Cache fit was not recorded, so a change of regime cannot be excluded."
    return (
        Check(name="points", passed=has_law, statement=f"{num_points} points: {verdict} for a law."),
        Check(name="same regime", passed=None, statement=regime),
    )


def curve_through(sizes: Sequence[float], values: Sequence[float]) -> tuple[CurvePoint, ...]:
    """Log-log interpolation, continued with the last slope to x4 of the largest size."""
    xs, ys = [math.log(size) for size in sizes], [math.log(value) for value in values]
    curve = []
    for index in range(33):
        x = xs[0] + (xs[-1] + math.log(4) - xs[0]) * index / 32
        segment = min(max(sum(known < x for known in xs) - 1, 0), len(xs) - 2)
        slope = (ys[segment + 1] - ys[segment]) / (xs[segment + 1] - xs[segment])
        y = ys[segment] + slope * (x - xs[segment])
        beyond = max(x - xs[-1], 0.0)
        relative = 0.03 + 0.12 * beyond
        curve.append(
            CurvePoint(
                size=math.exp(x),
                interval=around(math.exp(y), relative, len(sizes), 0.9),
                is_extrapolated=x > xs[-1] + 1e-9,
            )
        )
    return tuple(curve)


def ceilings_of(ranks: int) -> Ceilings:
    peak = PEAK_FLOPS_PER_S * ranks / 2

    def curve(kind: CeilingKind, precision: str, unit: str, size_unit: str, best: float) -> Ceiling:
        sizes = tuple(2.0**power for power in range(5, 11))
        rates = tuple(around(best * size / (size + 60), 0.03, 7) for size in sizes)
        return Ceiling(
            kind=kind, precision=precision, unit=unit, size_unit=size_unit, sizes=sizes, rates=rates
        )

    return Ceilings(
        environment_id="0011223344556677",
        placement_label=Placement(ranks_per_node=ranks, data_parallel=ranks).label,
        curves=(
            curve(CeilingKind.GEMM, "float32", "FLOP/s", "side", 1.06 * peak),
            curve(CeilingKind.CONVOLUTION_FORWARD, "float32", "FLOP/s", "channels", 0.72 * peak),
            curve(CeilingKind.CONVOLUTION_BACKWARD, "float32", "FLOP/s", "channels", 0.61 * peak),
            curve(CeilingKind.MEMORY, "", "bytes/s", "bytes", MEMORY_BYTES_PER_S),
            curve(CeilingKind.STORAGE_READ, "", "bytes/s", "bytes", STORAGE_BYTES_PER_S),
            curve(CeilingKind.ALL_REDUCE, "", "s", "bytes", 0.002),
            Ceiling(
                kind=CeilingKind.LAUNCH, precision="", unit="s", size_unit="1", sizes=(1.0,),
                rates=(around(4.1e-6, 0.05, 7),),
            ),
        ),
        measured_utc="2026-11-20T12:00:00Z",
        all_reduce_latency_s=38e-6 if ranks > 1 else None,
        all_reduce_bytes_per_s=1.1e9 if ranks > 1 else None,
        vendor_flops_per_s={"float32": 1.4 * peak},
    )  # fmt: skip


def failed_at(edge: int, width: int, ranks: int, suffix: str) -> FailedPoint:
    return FailedPoint(
        point=point_at(edge, width, ranks),
        labels=labels_at(edge, width, suffix),
        outcome=Outcome.OUT_OF_MEMORY,
        reason="rank 1 asked for 9.1 GB and 4.2 GB were free; use a smaller batch_per_rank or more nodes",
        num_attempts=2,
    )


def build_analysis(
    num_data: int = 4,
    num_model: int = 3,
    ranks: Sequence[int] = (2,),
    *,
    edge_fails: bool = True,
    all_fail: bool = False,
    with_ceilings: bool = True,
    name: str = "cosmoflow-small",
    suffix: str = "",
) -> Analysis:
    """A sweep over ``num_data`` edges and ``num_model`` widths; with ``edge_fails`` a larger edge is lost."""
    edges, widths = [32 * 2**index for index in range(num_data)], [8 * 2**index for index in range(num_model)]
    places = [(edge, width, rank) for rank in ranks for width in widths for edge in edges]
    failed = [failed_at(*place, suffix) for place in places] if all_fail else []
    points = () if all_fail else tuple(
        summary_at(*place, suffix, with_ceilings=with_ceilings) for place in places
    )  # fmt: skip
    dropped: tuple[DroppedPoint, ...] = ()
    if edge_fails and places and not all_fail:
        beyond = 32 * 2**num_data
        failed += [failed_at(beyond, width, ranks[0], suffix) for width in widths[:-1]]
        reason = "needs 61 GB of memory per rank and 23 GB are there"
        dropped = (
            DroppedPoint(
                point=point_at(beyond, widths[-1], ranks[0]),
                labels=labels_at(beyond, widths[-1], suffix),
                reason=reason,
            ),
        )
    trends = [
        trend_over(axis, line)
        for axis in ("data", "model")
        for rank in ranks
        for fixed in (widths if axis == "data" else edges)
        if len(line := _line(points, axis, rank, fixed)) > 1
    ]
    facts = {
        "cpu_model": "Intel(R) Xeon(R) Processor @ 2.60GHz",
        "cores": "2",
        "memory": "23.6 GB",
        "torch": "2.13.0",
        "mpi": "Open MPI 5.0.8",
    }
    return Analysis(
        sweep_name=name,
        environment=Environment(facts=facts, notes={"host": "node-1"}, environment_id="0011223344556677"),
        ceilings=tuple(ceilings_of(rank) for rank in ranks) if with_ceilings else (),
        points=points,
        trends=tuple(trends),
        failed=tuple(failed),
        dropped=dropped,
        num_planned=len(points) + len(failed),
        warnings=(CONTENDED,) if points else (),
    )


def _line(points: Sequence[PointSummary], axis: str, ranks: int, fixed: int) -> list[PointSummary]:
    """The points of one setting where the size that ``axis`` leaves alone is ``fixed``."""
    shape, size = ("model", "width") if axis == "data" else ("data", "edge")
    return [
        point
        for point in points
        if point.point.placement.num_ranks == ranks and getattr(point.point.problem, shape)[size] == fixed
    ]


def system_point(edge: int, width: int, rate: float, **changes: Any) -> SystemPoint:
    values: dict[str, Any] = {
        "key": key_of(
            {"workload": "cosmoflow", "data": str(edge), "model": str(width), "precision": "float32"}
        ),
        "labels": labels_at(edge, width, ""),
        "axis_sizes": {"data": float(edge**3 * 4), "model": 4e3 * width**1.8},
        "samples_per_s": around(rate),
        "flops_per_s": None,
        "share_of_peak": around(min(0.1 + 1e-3 * edge, 0.9)),
        "step_ns": around(4e9 / rate),
        "num_ranks": 2,
        "num_nodes": 1,
        "num_gpus": 0,
        "joules_per_sample": None,
        "record_id": f"{edge:08x}{width:08x}/attempt-1",
        "measured_utc": "2026-01-05T10:00:00Z",
        "device": "cpu",
        "placement_label": "1 node x 2 ranks x 1 thread (cpu)",
        "run": "sweep",
    }
    return SystemPoint(**{**values, **changes})


def build_system(name: str, factors: Sequence[float], **changes: Any) -> System:
    """A system as fast as ``factors`` tell, over edges 32, 64, ... and then over widths 8, 16, ..."""
    points = tuple(
        system_point(32 * 2 ** (index % 4), 8 * 2 ** (index // 4), factor * 1000 / 3 ** (index % 4))
        for index, factor in enumerate(factors)
    )
    facts = {"cpu_model": f"processor of {name}", "cores": "16"}
    values: dict[str, Any] = {"kind": "saih", "facts": facts, "cautions": (), "points": points}
    values |= {"size_labels": {"data": "values in one sample", "model": "parameters"}}
    return System(name=name, **{**values, **changes})


def build_comparison(num_points: int = 6, name_a: str = "cluster A", name_b: str = "cluster B") -> Comparison:
    """``num_points`` matched points, A faster at first and slower at the end."""
    factors = [1.45 - 0.16 * index for index in range(num_points)]
    a = build_system(name_a, factors)
    extra = system_point(256, 32, 5.0, record_id="only/attempt-1")
    return compare([replace(a, points=(*a.points, extra)), build_system(name_b, [1.0] * num_points)])


@pytest.fixture(scope="session")
def system_for() -> Callable[..., System]:
    return build_system


@pytest.fixture(scope="session")
def analysis_of() -> Callable[..., Analysis]:
    return build_analysis


@pytest.fixture(scope="session")
def comparison_of() -> Callable[..., Comparison]:
    return build_comparison


def build_scaling(
    kind: Scaling = "strong",
    ranks: Sequence[int] = (1, 2, 4, 8),
    num_lines: int = 2,
    *,
    has_ceilings: bool = True,
) -> Analysis:
    """An analysis with ``num_lines`` lines over ``ranks`` whose exchange grows with every rank."""
    places = [(32 * 2**index, rank) for index in range(num_lines) for rank in ranks]
    points = {
        (edge, rank): replace(
            summary_at(edge, 16, rank, "", with_ceilings=has_ceilings),
            labels={**labels_at(edge, 16, ""), "ranks": f"{rank} rank{'' if rank == 1 else 's'}"},
        )
        for edge, rank in places
    }
    lines = [
        scaling_line(kind, [points[32 * 2**index, rank] for rank in ranks]) for index in range(num_lines)
    ]
    return replace(
        build_analysis(1, 1, (ranks[0],), edge_fails=False, name="cosmoflow-ranks"),
        points=tuple(points.values()),
        trends=(),
        scaling=tuple(lines),
        num_planned=len(points),
        ceilings=tuple(ceilings_of(rank) for rank in ranks) if has_ceilings else (),
    )


def scaling_line(kind: Scaling, points: Sequence[PointSummary]) -> ScalingLine:
    base = points[0]
    rungs = []
    for point in points:
        ranks = point.point.placement.num_ranks
        speedup = ranks / (1 + 0.05 * (ranks - 1))
        rungs.append(
            ScalingRung(
                record_id=point.record_id,
                num_ranks=ranks,
                placement_label=point.point.placement.label,
                batch_per_rank=4,
                step_ns=point.step_ns,
                samples_per_s=base.samples_per_s.scaled(speedup),
                speedup=around(speedup),
                efficiency=around(speedup / ranks),
                share_of_peak=point.share_of_peak,
                exposed_share=around(0.05 * ranks / (1 + 0.05 * ranks)),
                exposed_ns=point.phases_ns[Phase.COMMUNICATION],
                communication_ns=point.phases_ns[Phase.COMMUNICATION_TOTAL],
                balance=RankBalance(num_ranks=ranks, slowest_rank=1, mean_work_ns=1e7, imbalance=1.07)
                if ranks > 1
                else None,
                limit=point.diagnosis.limit,
            )
        )
    return ScalingLine(
        scaling=kind,
        setting="global batch 32, float32, exchange ddp, 1 thread per rank (cpu), seed 1",
        rungs=tuple(rungs),
        unmeasured=("16 ranks: out of memory after 2 attempts: rank 3 was killed",),
        rises={Limit.INTERCONNECT: around(0.3), Limit.UNEXPLAINED: around(0.05)},
        rising=Limit.INTERCONNECT,
        findings=(f"{kind.capitalize()} scaling from 1 to {rungs[-1].num_ranks} ranks of the test.",),
    )


@pytest.fixture(scope="session")
def scaling_of() -> Callable[..., Analysis]:
    return build_scaling
