"""A sweep that nobody ran: points as the planner makes them, steps from the laws of a plausible machine.

Every step comes from the cost of its point, held against the ceilings that the records are told: operations
by the slower of arithmetic and memory, launches, a ring of all-reduces half of which is hidden, reading from
storage. Points close below the room of a device run out of memory; what the planner refuses is dropped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from augment.ladder import Ladder
from augment.problem import Problem, Shape
from saih.analyzer.analysis import analyze
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.limits import Limits
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import ADDITIVE_PHASES, AttemptResult, Environment, Outcome, Phase, Record, Steps
from saih.domain.scaling import RankLadder
from saih.domain.sweep import Sweep
from saih.domain.trend import Analysis
from saih.planner.plan import Plan, PlannedPoint, make_plan
from workloads.protocol import Cost, Operation, OpKind

NUM_STEPS = 24
_PEAK, _VENDOR_PEAK = 52e12, 67e12
_MEMORY, _STORAGE = 2.6e12, 1.9e9
_LAUNCH_S, _LATENCY_S, _LINK = 6e-6, 22e-6, 38e9
_DEVICE_BYTES = 80_000_000_000
_TIGHT = 0.7
"""Share of a device's room beyond which its points run out of memory: fragments are not in any cost."""
_RESOLUTIONS = (32, 64, 128, 16, 256, 8, 512, 1024)
_WIDTHS = (8, 16, 32, 64, 24, 4, 12, 48, 6, 96)
_RANKS = (1, 2, 4, 8, 16, 32, 64)
_ENVIRONMENT = Environment(
    facts={"cpu_model": "Example 9654", "gpus": "4 x Example GPU 80 GB", "memory": "768 GB", "torch": "2.13"},
    notes={"host": "node-17"},
    environment_id="5e1f0a7f552de5e3",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many rungs each axis has."""

    data: int
    model: int
    ranks: int

    @property
    def num_points(self) -> int:
        """Points of the sweep, those that cannot run included."""
        return self.data * self.model * self.ranks


def synthetic_analysis(size: Size, *, name: str = "synthetic", all_fail: bool = False) -> Analysis:
    """What the analyzer says of a made-up sweep of this size; the same for the same arguments."""
    ladder = RankLadder(scaling="weak", ranks=_RANKS[: size.ranks])
    plan = _plan(name, size, ladder)
    generator = np.random.default_rng(2027)
    records = [_record(name, planned, generator, fails=all_fail) for planned in plan.points]
    found = [_ceilings(placement) for placement in plan.placements]
    return analyze(
        name,
        records,
        found,
        plan.dropped,
        len(plan.points),
        rank_ladder=ladder if size.ranks > 1 else None,
    )


def synthetic_records(size: Size, *, name: str = "synthetic", seed: int = 1) -> list[Record]:
    """The records of such a sweep, its points with this seed."""
    plan = _plan(name, size, RankLadder(scaling="weak", ranks=_RANKS[: size.ranks]))
    generator = np.random.default_rng((2027, seed))
    records = [_record(name, planned, generator, fails=False) for planned in plan.points]
    return [replace(record, point=replace(record.point, seed=seed)) for record in records]


def _plan(name: str, size: Size, ladder: RankLadder) -> Plan:
    return make_plan(_sweep(name, size, ladder), Limits(device_memory_bytes=_DEVICE_BYTES, gpus_per_node=4))


def _sweep(name: str, size: Size, ladder: RankLadder) -> Sweep:
    resolutions = sorted(_RESOLUTIONS[: size.data])
    widths = sorted(_WIDTHS[: size.model])
    data = Shape.of(samples=1024, universes=128, resolution=resolutions[0], channels=4)
    one = Placement(nodes=1, ranks_per_node=1, threads_per_rank=8, device="cuda")
    full = replace(one, ranks_per_node=4, data_parallel=4)
    return Sweep(
        name=name,
        workload="cosmoflow",
        base=Problem(data=data, model=Shape.of(depth=1, width=widths[0])),
        ladders=(
            Ladder(axis="data", rungs=tuple(Shape.of(resolution=value) for value in resolutions)),
            Ladder(axis="model", rungs=tuple(Shape.of(width=value) for value in widths)),
        ),
        batch_per_rank=2,
        precision="float32",
        exchange="ddp" if size.ranks > 1 else "none",
        placements=(full if size.ranks > 1 else one,),
        timing=Timing(),
        seed=1,
        rank_ladder=ladder if size.ranks > 1 else None,
    )


def _record(name: str, planned: PlannedPoint, generator: np.random.Generator, *, fails: bool) -> Record:
    lacks_room = fails or planned.cost.peak_memory_bytes > _TIGHT * _DEVICE_BYTES
    steps = None if lacks_room else _steps(planned.point, planned.cost, generator)
    needed = planned.cost.peak_memory_bytes / 1e9
    reason = f"rank 0 asked for {needed:.3g} GB on a GPU of 80 GB; lower batch_per_rank" if fails else ""
    result = AttemptResult(
        outcome=Outcome.OUT_OF_MEMORY if lacks_room else Outcome.COMPLETED,
        reason=reason or ("rank 0: CUDA out of memory; lower batch_per_rank" if lacks_room else ""),
        stop_reason=f"interval 1.8 % after {NUM_STEPS} steps",
        steps=steps,
        notes={},
    )
    return Record(
        sweep_name=name,
        point=planned.point,
        attempt=1,
        environment=_ENVIRONMENT,
        result=result,
        finished_utc="2026-11-20T12:00:00Z",
    )


def _steps(point: Point, cost: Cost, generator: np.random.Generator) -> Steps:
    seconds = _seconds(point, cost)
    shape = (point.placement.num_ranks, NUM_STEPS)
    table = {
        phase: np.rint(1e9 * seconds[phase] * np.exp(0.02 * generator.standard_normal(shape))).astype(int)
        for phase in Phase
        if phase in seconds
    }
    whole = np.sum([table[phase] for phase in ADDITIVE_PHASES], axis=0)
    losses = np.linspace(1.0, 0.2, NUM_STEPS + 3) + 0.02 * generator.standard_normal(NUM_STEPS + 3)
    return Steps(
        duration_ns={phase: tuple(map(tuple, rows.tolist())) for phase, rows in table.items()},
        step_ns=tuple(map(tuple, whole.tolist())),
        losses=tuple(losses.tolist()),
        warmup_steps=3,
    )


def _seconds(point: Point, cost: Cost) -> Mapping[Phase, float]:
    ranks = point.placement.num_ranks
    computed = {
        phase: _total(operation for operation in cost.operations if operation.phase == phase.value)
        for phase in (Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER)
    }
    produced = cost.input_bytes * ranks / _STORAGE / 2 + 2e-4
    ring = 2 * (ranks - 1) / ranks * cost.gradient_bytes / _LINK + _LATENCY_S * (ranks - 1)
    return {
        **computed,
        Phase.OTHER: 3e-4,
        Phase.INPUT_PRODUCE: produced,
        Phase.INPUT_WAIT: max(produced - sum(computed.values()), 1e-5),
        Phase.COMMUNICATION_TOTAL: ring,
        Phase.COMMUNICATION: max(ring - 0.5 * computed[Phase.BACKWARD], 0.2 * ring),
    }


def _total(operations: Iterable[Operation]) -> float:
    return sum(
        max(one.flops / (0.8 * _rate(one)), one.memory_bytes / _MEMORY) + 1.2 * _LAUNCH_S * one.num_kernels
        for one in operations
    )


def _rate(operation: Operation) -> float:
    return _saturating(operation.channels) if operation.kind is not OpKind.ELEMENTWISE else _PEAK / 20


def _saturating(channels: float) -> float:
    return 0.8 * _PEAK * channels / (channels + 70)


def _ceilings(placement: Placement) -> Ceilings:
    ranks = placement.num_ranks
    channels = (4.0, 16.0, 64.0, 256.0, 1024.0)
    convolutions = [ranks * _saturating(value) for value in channels]
    products = [ranks * _PEAK * value / (value + 500) for value in (256.0, 1024.0, 4096.0, 16384.0)]
    forward, backward = CeilingKind.CONVOLUTION_FORWARD, CeilingKind.CONVOLUTION_BACKWARD
    return Ceilings(
        environment_id=_ENVIRONMENT.environment_id,
        placement_label=placement.label,
        curves=(
            _curve(CeilingKind.GEMM, "side", (256.0, 1024.0, 4096.0, 16384.0), products),
            _curve(forward, "channels", channels, convolutions),
            _curve(backward, "channels", channels, [0.9 * value for value in convolutions]),
            _curve(CeilingKind.MEMORY, "bytes", (1e6, 1e9), [2.2 * ranks * _MEMORY, ranks * _MEMORY]),
            _curve(CeilingKind.STORAGE_READ, "bytes", (1e6, 1e8), [0.6 * _STORAGE, _STORAGE]),
            _curve(CeilingKind.LAUNCH, "1", (1.0,), [_LAUNCH_S]),
        ),
        measured_utc="2026-11-20T10:00:00Z",
        all_reduce_latency_s=_LATENCY_S if ranks > 1 else None,
        all_reduce_bytes_per_s=_LINK if ranks > 1 else None,
        vendor_flops_per_s={"float32": ranks * _VENDOR_PEAK},
    )


def _curve(kind: CeilingKind, size_unit: str, sizes: Sequence[float], values: Sequence[float]) -> Ceiling:
    is_arithmetic = size_unit in ("side", "channels")
    unit = "FLOP/s" if is_arithmetic else "s" if kind is CeilingKind.LAUNCH else "bytes/s"
    return Ceiling(
        kind=kind,
        precision="float32" if is_arithmetic else "",
        unit=unit,
        size_unit=size_unit,
        sizes=tuple(sizes),
        rates=tuple(
            Interval(low=0.98 * value, value=value, high=1.02 * value, level=0.95, count=20)
            for value in values
        ),
    )
