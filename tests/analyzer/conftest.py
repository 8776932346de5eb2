"""Synthetic records with a known truth, and a small workload whose cost is plain arithmetic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from augment.problem import Problem, Shape
from saih.analyzer.summary import summarize
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import (
    STEP_PHASES,
    AttemptResult,
    Environment,
    Outcome,
    Phase,
    Record,
    Steps,
)
from saih.domain.scaling import RankLadder, placed_on
from saih.domain.trend import PointSummary
from workloads.activity import TRAINING, Activity
from workloads.protocol import UNDIVIDED, Axis, Cost, Degrees, Operation, OpKind

ENVIRONMENT = Environment(
    facts={"cpu_model": "Test 1", "torch": "2.13"}, notes={"host": "a"}, environment_id="env-1"
)
GEMM_PEAK = 150e9
CONVOLUTION_PEAK = 14e9
BANDWIDTH = 10e9
LAUNCH_S = 5e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """Products of two squares: the data axis counts rows [million], the model axis their width."""

    name: str = "square"
    activity: Activity = TRAINING
    axes: tuple[Axis, ...] = field(
        default=(
            Axis(name="data", sizes={"rows": "rows"}, size_label="rows"),
            Axis(name="model", sizes={"width": "columns"}, size_label="columns"),
        )
    )

    def check(self, problem: Problem) -> None:
        """Every problem can be built."""

    def cost(
        self, problem: Problem, *, batch_per_rank: int, precision: str, degrees: Degrees = UNDIVIDED
    ) -> Cost:
        """Forward and twice as much backward."""
        rows, width = problem.data.count("rows"), problem.model.count("width")
        flops = 2 * 1000 * rows * width * batch_per_rank
        operations = tuple(
            Operation(
                name=f"product of {width} columns",
                phase=phase,
                kind=OpKind.MATMUL,
                flops=factor * flops,
                memory_bytes=factor * 4 * rows * width,
                num_kernels=1,
                channels=float(width),
            )
            for phase, factor in (("forward", 1), ("backward", 2))
        )
        return Cost(
            operations=operations,
            num_parameters=width**2,
            samples_per_step=batch_per_rank,
            gradient_bytes=4 * width**2,
            input_bytes=4 * rows,
            dataset_bytes=400 * rows,
            peak_memory_bytes=1000,
            axis_sizes={"data": float(rows), "model": float(width)},
        )

    def describe(self, problem: Problem, axis: str) -> str:
        """Such as ``8 rows``."""
        return f"{problem.data['rows']} rows" if axis == "data" else f"width {problem.model['width']}"


def point(rows: int = 8, width: int = 64, *, ranks: int = 1, seed: int = 1, **changes: object) -> Point:
    settings: dict = {
        "workload": "square",
        "problem": Problem(data=Shape.of(rows=rows), model=Shape.of(width=width)),
        "batch_per_rank": 2,
        "precision": "float32",
        "exchange": "none" if ranks == 1 else "ddp",
        "placement": Placement(ranks_per_node=ranks, data_parallel=ranks),
        "timing": Timing(),
        "seed": seed,
    }
    return Point(**{**settings, **changes})


def lognormal(
    generator: np.random.Generator, shape: tuple[int, ...], sigma: float, correlation: float = 0.0
) -> np.ndarray:
    """Factors of median 1; along the last axis an AR(1) in log."""
    noise = generator.standard_normal(shape)
    for step in range(1, shape[-1]):
        fresh = np.sqrt(1 - correlation**2) * noise[..., step]
        noise[..., step] = correlation * noise[..., step - 1] + fresh
    return np.exp(sigma * noise)


def steps(
    typical_ns: Mapping[Phase, float],
    generator: np.random.Generator,
    *,
    ranks: int = 1,
    count: int = 30,
    sigma: float = 0.02,
    correlation: float = 0.0,
    common: float = 0.0,
    losses: tuple[float, ...] | None = None,
) -> Steps:
    """Phases with these medians; ``common`` is the spread of a factor that the whole run shares."""
    run = np.exp(common * generator.standard_normal())
    table = {}
    for phase in (one for one in Phase if one is not Phase.STAGE_WAIT or one in typical_ns):
        factors = lognormal(generator, (ranks, count), sigma, correlation)
        table[phase] = np.rint(run * typical_ns.get(phase, 0.0) * factors).astype(np.int64)
    whole = np.sum([table[phase] for phase in STEP_PHASES if phase in table], axis=0)
    if losses is None:
        losses = tuple(np.linspace(1.0, 0.2, count + 3) + 0.02 * generator.standard_normal(count + 3))
    return Steps(
        duration_ns={phase: tuple(map(tuple, rows.tolist())) for phase, rows in table.items()},
        step_ns=tuple(map(tuple, whole.tolist())),
        losses=tuple(float(loss) for loss in losses),
        warmup_steps=3,
    )


def record(
    at: Point,
    measured: Steps | None,
    *,
    attempt: int = 1,
    outcome: Outcome = Outcome.COMPLETED,
    environment: Environment = ENVIRONMENT,
    reason: str = "",
) -> Record:
    result = AttemptResult(
        outcome=outcome, reason=reason, stop_reason="interval 1.8 %", steps=measured, notes={}
    )
    return Record(
        sweep_name="sweep",
        point=at,
        attempt=attempt,
        environment=environment,
        result=result,
        finished_utc="2025-01-01T00:00:00Z",
    )


def rate(value: float, width: float = 0.02) -> Interval:
    return Interval(low=value * (1 - width), value=value, high=value * (1 + width), level=0.95, count=20)


def ceiling(kind: CeilingKind, sizes: tuple[float, ...], values: tuple[float, ...]) -> Ceiling:
    arithmetic = (CeilingKind.GEMM, CeilingKind.CONVOLUTION_FORWARD, CeilingKind.CONVOLUTION_BACKWARD)
    return Ceiling(
        kind=kind,
        precision="float32" if kind in arithmetic else "",
        unit="",
        size_unit="",
        sizes=sizes,
        rates=tuple(rate(value) for value in values),
    )


def ceilings(label: str = "1 node x 1 rank x 1 thread (cpu)", environment_id: str = "env-1") -> Ceilings:
    widths = (8.0, 64.0, 512.0)
    return Ceilings(
        environment_id=environment_id,
        placement_label=label,
        curves=(
            ceiling(CeilingKind.GEMM, widths, (30e9, 90e9, GEMM_PEAK)),
            ceiling(CeilingKind.CONVOLUTION_FORWARD, widths, (CONVOLUTION_PEAK, 40e9, 90e9)),
            ceiling(CeilingKind.CONVOLUTION_BACKWARD, widths, (CONVOLUTION_PEAK, 40e9, 90e9)),
            ceiling(CeilingKind.MEMORY, (1e6, 5e7), (4 * BANDWIDTH, BANDWIDTH)),
            ceiling(CeilingKind.LAUNCH, (1.0,), (LAUNCH_S,)),
        ),
        measured_utc="2025-01-01T00:00:00Z",
        all_reduce_latency_s=50e-6,
        all_reduce_bytes_per_s=2e9,
        vendor_flops_per_s={"float32": 200e9},
    )


def sweep(
    truth: Mapping[Phase, Callable[[float], float]],
    sizes: tuple[int, ...],
    generator: np.random.Generator,
    **noise: float,
) -> list[Record]:
    """One record for each number of rows, each phase following its true law [ns]."""
    return [
        record(
            point(rows=size), steps({phase: law(size) for phase, law in truth.items()}, generator, **noise)
        )
        for size in sizes
    ]


def rank_sweep(
    truth: Mapping[Phase, Callable[[int, int], float]],
    ladder: RankLadder,
    generator: np.random.Generator,
    *,
    batch: int = 64,
    per_node: int = 4,
    rows: int = 8,
    exchange: str = "ddp",
    **noise: float,
) -> list[Record]:
    """One record for each rung; each phase follows its true law of (ranks, batch per rank) [ns]."""
    base = Placement(ranks_per_node=per_node, data_parallel=per_node)
    records = []
    for ranks in ladder.ranks:
        own = ladder.batch_per_rank(batch, ranks)
        at = point(
            rows=rows,
            batch_per_rank=own,
            placement=placed_on(base, ranks, ladder.grows),
            exchange=exchange if ranks > 1 else "none",
        )
        typical = {phase: law(ranks, own) for phase, law in truth.items()}
        records.append(record(at, steps(typical, generator, ranks=ranks, **noise)))
    return records


def placed_ceilings(records: list[Record]) -> list[Ceilings]:
    """Ceilings of every placement, whose rates grow with its ranks."""
    found = {}
    for one in records:
        placement = one.point.placement
        own = ceilings(label=placement.label)
        curves = tuple(
            curve if curve.kind is CeilingKind.LAUNCH
            else replace(curve, rates=tuple(rate.scaled(placement.num_ranks) for rate in curve.rates))
            for curve in own.curves
        )  # fmt: skip
        found[placement.label] = replace(own, curves=curves)
    return list(found.values())


@pytest.fixture(scope="session")
def synthetic() -> SimpleNamespace:
    return SimpleNamespace(
        ENVIRONMENT=ENVIRONMENT,
        GEMM_PEAK=GEMM_PEAK,
        CONVOLUTION_PEAK=CONVOLUTION_PEAK,
        BANDWIDTH=BANDWIDTH,
        LAUNCH_S=LAUNCH_S,
        workload=Square(),
        point=point,
        lognormal=lognormal,
        steps=steps,
        record=record,
        rate=rate,
        ceiling=ceiling,
        ceilings=ceilings,
        sweep=sweep,
        rank_sweep=rank_sweep,
        placed_ceilings=placed_ceilings,
    )


@pytest.fixture(scope="session")
def summary_of() -> Callable[[Point], PointSummary]:
    """A measured point without noise, as the analyzer sees it."""

    def made(at: Point) -> PointSummary:
        measured = steps({Phase.FORWARD: 1e6}, np.random.default_rng(0), ranks=at.placement.num_ranks)
        return summarize(record(at, measured), measured, Square(), None)

    return made
