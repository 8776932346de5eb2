"""Made-up machines whose every part is known, and the runs that they would have measured.

A step goes as on a real one: a loader makes batches ahead of the steps, ranks work and meet in an exchange of
gradients that goes piece by piece behind the backward pass, and the weights are updated. Durations in ns;
shapes: R ranks, S steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from augment.problem import Problem, Shape
from saih.analyzer.fit import LEAST_NOISE
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.point import Placement, Point, Timing
from saih.domain.record import ADDITIVE_PHASES, AttemptResult, Environment, Outcome, Phase, Record, Steps
from workloads.activity import TRAINING, Activity
from workloads.protocol import (
    UNDIVIDED,
    Axis,
    Cost,
    Degrees,
    Operation,
    OpKind,
    PhaseName,
)

Array = NDArray[np.float64]

NAME = "what-if"
NUM_STEPS = 30
_WARMUP_STEPS = 6
_DEPTH = 2
"""Batches made ahead."""
_STEP_NOISE = 0.02
_FLOPS_PER_NS, _BYTES_PER_NS, _LAUNCH_NS = 1e3, 1e2, 1e4
"""The ceilings."""
_MINOR = 0.02
"""What an operation takes of the parts that do not bound it, as a share of what bounds it."""
_ENVIRONMENT = Environment(facts={"cpu_model": "made up"}, notes={}, environment_id="made-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One pass of one rank: what its operations take at the ceilings, and a share beyond."""

    compute: float
    memory: float = 0.0
    launch: float = 0.0
    beyond: float = 0.0

    @property
    def at_ceilings(self) -> float:
        """All operations."""
        return self.compute + self.memory + self.launch

    @property
    def whole(self) -> float:
        """The pass."""
        return self.at_ceilings + self.beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What one step of each rank takes."""

    forward: Work
    backward: Work
    optimizer: float = 2e6
    produce: float = 0.0
    """Making of a batch."""
    transfer: float = 0.0
    """The whole exchange, hidden or not."""
    num_pieces: int = 1
    """Of the gradient."""
    slower: float = 0.0
    """The last rank works longer by this share."""
    num_ranks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A workload whose operations take what a pass at the ceilings takes; the data axis counts rows."""

    passes: Mapping[PhaseName, Work]
    name: str = "plain"
    activity: Activity = TRAINING
    axes: tuple[Axis, ...] = field(
        default=(
            Axis(name="data", sizes={"rows": "rows"}, size_label="rows"),
            Axis(name="model", sizes={"width": "width"}, size_label="width"),
        )
    )

    def check(self, problem: Problem) -> None:
        """Every problem can be built."""

    def cost(
        self, problem: Problem, *, batch_per_rank: int, precision: str, degrees: Degrees = UNDIVIDED
    ) -> Cost:
        """Three operations for each pass: one bound by arithmetic, one by memory, one by launches."""
        rows, width = problem.data.count("rows"), problem.model.count("width")
        return Cost(
            operations=tuple(one for phase, work in self.passes.items() for one in _operations(phase, work)),
            num_parameters=width,
            samples_per_step=batch_per_rank,
            gradient_bytes=4 * width,
            input_bytes=4 * rows,
            dataset_bytes=400 * rows,
            peak_memory_bytes=1000,
            axis_sizes={"data": float(rows), "model": float(width)},
        )

    def describe(self, problem: Problem, axis: str) -> str:
        """Such as ``8 rows``."""
        return f"{problem.data['rows']} rows" if axis == "data" else f"width {problem.model['width']}"


def _operations(phase: PhaseName, work: Work) -> tuple[Operation, ...]:
    bounds = (
        (OpKind.MATMUL, work.compute, 0.0, 0.0),
        (OpKind.ELEMENTWISE, 0.0, work.memory, 0.0),
        (OpKind.ELEMENTWISE, 0.0, 0.0, work.launch),
    )
    return tuple(
        Operation(
            name=f"{phase} {number}",
            phase=phase,
            kind=kind,
            flops=round(compute * _FLOPS_PER_NS),
            memory_bytes=round((memory + _MINOR * compute) * _BYTES_PER_NS),
            num_kernels=round(launch / _LAUNCH_NS),
            channels=64.0,
        )
        for number, (kind, compute, memory, launch) in enumerate(bounds)
        if compute + memory + launch > 0
    )


def ceilings_of(placement: Placement) -> Ceilings:
    """The same rates at every size, known to half a percent."""
    ranks = placement.num_ranks
    rates = {
        CeilingKind.GEMM: ranks * _FLOPS_PER_NS * 1e9,
        CeilingKind.MEMORY: ranks * _BYTES_PER_NS * 1e9,
        CeilingKind.LAUNCH: _LAUNCH_NS * 1e-9,
    }
    return Ceilings(
        environment_id=_ENVIRONMENT.environment_id,
        placement_label=placement.seats_label,
        curves=tuple(
            Ceiling(
                kind=kind,
                precision="float32" if kind is CeilingKind.GEMM else "",
                unit="",
                size_unit="",
                sizes=(1.0,),
                rates=(Interval(low=0.995 * rate, value=rate, high=1.005 * rate, level=0.95, count=20),),
            )
            for kind, rate in rates.items()
        ),
        measured_utc="2026-01-01T00:00:00Z",
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )


def record_of(
    steps: Steps, *, num_ranks: int = 1, rows: int = 8, placement: Placement | None = None
) -> Record:
    """What SAIH keeps of a run."""
    ranks = placement or Placement(ranks_per_node=num_ranks, data_parallel=num_ranks)
    point = Point(
        workload="plain",
        problem=Problem(data=Shape.of(rows=rows), model=Shape.of(width=64)),
        batch_per_rank=2,
        precision="float32",
        exchange="none" if num_ranks == 1 else "ddp",
        placement=ranks,
        timing=Timing(),
        seed=1,
    )
    result = AttemptResult(
        outcome=Outcome.COMPLETED, reason="", stop_reason="interval 1.8 %", steps=steps, notes={}
    )
    return Record(
        sweep_name=NAME,
        point=point,
        attempt=1,
        environment=_ENVIRONMENT,
        result=result,
        finished_utc="2026-01-01T00:00:00Z",
    )


def typical_step_ns(machine: Machine) -> float:
    """The step of an undisturbed run."""
    return float(np.median(np.max(_simulated(machine, _Noise.none(machine)).whole, axis=0)))


def run_of(
    machine: Machine, generator: np.random.Generator, run_noise: float = LEAST_NOISE / 2**0.5
) -> Steps:
    """The measured steps of one run; two runs differ by a factor of this deviation each."""
    return _as_steps(_simulated(machine, _Noise.drawn(machine, generator, run_noise)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noise:
    """Factors of phases ``[R, S]``, of the exchange ``[S]``, and of the run."""

    phases: Mapping[Phase, Array]
    transfer: Array

    @staticmethod
    def none(machine: Machine) -> "_Noise":
        """Every step alike."""
        shape = machine.num_ranks, NUM_STEPS + _WARMUP_STEPS
        return _Noise(phases=dict.fromkeys(Phase, np.ones(shape)), transfer=np.ones(shape[1]))

    @staticmethod
    def drawn(machine: Machine, generator: np.random.Generator, run_noise: float) -> "_Noise":
        """Each step differs, and all of them from those of other runs."""
        shape = machine.num_ranks, NUM_STEPS + _WARMUP_STEPS
        run = np.exp(run_noise * generator.standard_normal())
        return _Noise(
            phases={one: run * np.exp(_STEP_NOISE * generator.standard_normal(shape)) for one in Phase},
            transfer=run * np.exp(_STEP_NOISE * generator.standard_normal(shape[1])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Durations ``[R, S]``, warm-up left out."""

    rows: Mapping[Phase, Array]

    @property
    def whole(self) -> Array:
        """Of steps."""
        return np.asarray(np.sum([self.rows[phase] for phase in ADDITIVE_PHASES], axis=0))


def _simulated(machine: Machine, noise: _Noise) -> _Run:
    """One step after the other: rank by rank up to the exchange, together out of it."""
    share = np.ones(machine.num_ranks)
    share[-1] += machine.slower
    own = {
        Phase.FORWARD: machine.forward.whole * share[:, None] * noise.phases[Phase.FORWARD],
        Phase.BACKWARD: machine.backward.whole * share[:, None] * noise.phases[Phase.BACKWARD],
        Phase.OPTIMIZER: machine.optimizer * noise.phases[Phase.OPTIMIZER],
        Phase.INPUT_PRODUCE: machine.produce * noise.phases[Phase.INPUT_PRODUCE],
    }
    shape = own[Phase.FORWARD].shape
    rows = {**own, **{phase: np.zeros(shape) for phase in Phase if phase not in own}}
    begin = np.zeros(shape[0])
    ready, taken = np.full(shape[0], -np.inf), np.zeros(shape)
    for step in range(shape[1]):
        if step >= _DEPTH:
            ready = np.maximum(ready, taken[:, step - _DEPTH]) + own[Phase.INPUT_PRODUCE][:, step]
        wait = np.maximum(ready - begin, 0.0)
        taken[:, step] = begin + wait
        arrival = taken[:, step] + own[Phase.FORWARD][:, step] + own[Phase.BACKWARD][:, step]
        left = arrival
        if shape[0] > 1:
            total = machine.transfer * noise.transfer[step]
            exposed = exposed_ns(total, float(own[Phase.BACKWARD][:, step].min()), machine.num_pieces)
            left = np.full(shape[0], arrival.max() + exposed)
            rows[Phase.COMMUNICATION][:, step] = left - arrival
            rows[Phase.COMMUNICATION_TOTAL][:, step] = left - arrival + total - exposed
        rows[Phase.INPUT_WAIT][:, step] = wait
        begin = left + own[Phase.OPTIMIZER][:, step]
    return _Run(rows={phase: row[:, _WARMUP_STEPS:] for phase, row in rows.items()})


def exposed_ns(total: float, backward: float, num_pieces: int) -> float:
    """What lasts beyond the backward pass when equal pieces go one after the other, each once it is made."""
    end = 0.0
    for piece in range(1, num_pieces + 1):
        end = max(end, backward * piece / num_pieces) + total / num_pieces
    return end - backward


def _as_steps(run: _Run) -> Steps:
    table = {phase: np.rint(row).astype(np.int64) for phase, row in run.rows.items()}
    whole = np.sum([table[phase] for phase in ADDITIVE_PHASES], axis=0)
    return Steps(
        duration_ns={phase: tuple(map(tuple, row.tolist())) for phase, row in table.items()},
        step_ns=tuple(map(tuple, whole.tolist())),
        losses=tuple(1.0 / (2 + step) for step in range(NUM_STEPS + _WARMUP_STEPS)),
        warmup_steps=_WARMUP_STEPS,
    )
