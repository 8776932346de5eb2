"""Records and ceilings as they would be on an altered machine."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from saih.analyzer.ran_execution import ran_execution
from saih.analyzer.replay import Change, replayed
from saih.analyzer.roofline import Floor, duration_by_limit, floors, has_arithmetic
from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.record import Phase, Record, Steps
from saih.domain.what_if import NEEDS_CEILINGS, Alteration, Part
from workloads.protocol import Cost

DEVICE_PHASES = (Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER, Phase.OTHER)
_ARITHMETIC = (
    CeilingKind.GEMM,
    CeilingKind.CONVOLUTION_FORWARD,
    CeilingKind.CONVOLUTION_BACKWARD,
    CeilingKind.CONVOLUTION_BACKWARD_WEIGHT,
    CeilingKind.CONVOLUTION_BACKWARD_INPUT,
)
_MEMORY = (
    CeilingKind.MEMORY,
    CeilingKind.MEMORY_COPY,
    CeilingKind.MEMORY_SCALE,
    CeilingKind.MEMORY_ADD,
)
_REMOVED_SPEED = 1e9
"""As good as infinitely fast, where a ceiling must have a number."""


class Stance(Enum):
    """What the time of operations above their ceilings is taken to do when a ceiling rises."""

    EXPECTED = "shrinks as the operations do"
    LEAST = "stays as it is"
    MOST = "belongs to what is altered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a point ran on: its ceilings, None where none were measured, and what its step costs."""

    ceilings: Ceilings | None
    cost: Cost

    def floors(self, record: Record) -> tuple[Floor, ...] | None:
        """The least time of each operation; None without ceilings of arithmetic at this precision."""
        precision = ran_execution(record).precision
        if self.ceilings is None or not has_arithmetic(self.ceilings, precision):
            return None
        return floors(self.cost, record.point.placement.num_ranks, self.ceilings, precision)


def refusal(record: Record, machine: Machine, alterations: Sequence[Alteration]) -> str:
    """Why nothing can be predicted for this record; empty where it can."""
    parts = {alteration.part for alteration in alterations}
    unknown = sorted(parts & NEEDS_CEILINGS)
    if unknown and machine.floors(record) is None:
        return (
            f"no ceilings were measured for {record.point.placement.label} at "
            f"{ran_execution(record).precision}, so the share of {' and '.join(unknown)} is unknown; "
            "run `saih ceilings`"
        )
    ranks = record.point.placement.num_ranks
    if record.point.placement.degrees.num_ranks > 1 and parts - {Part.INPUT}:
        return (
            "its ranks divide a model or its samples and wait for each other all through a step, which a "
            "replay of phases cannot tell; change the machine and measure"
        )
    for part in (Part.INTERCONNECT, Part.IMBALANCE):
        if part in parts and ranks > 1 and record.point.exchange == "none":
            return f"its ranks exchange nothing, so that {part} does not exist here"
        if part in parts and ranks == 1:
            return f"it ran on one rank, so that {part} does not exist here"
    return ""


def altered_ceilings(ceilings: Ceilings, alterations: Sequence[Alteration]) -> Ceilings:
    """Ceilings so many times as high; a launch that is removed takes next to nothing."""
    speeds = {one.part: min(one.speed, _REMOVED_SPEED) for one in alterations}
    compute, memory = speeds.get(Part.COMPUTE, 1.0), speeds.get(Part.MEMORY, 1.0)
    launch, link = speeds.get(Part.LAUNCH, 1.0), speeds.get(Part.INTERCONNECT, 1.0)
    latency, rate = ceilings.all_reduce_latency_s, ceilings.all_reduce_bytes_per_s
    factors = {CeilingKind.LAUNCH: 1 / launch, CeilingKind.ALL_REDUCE: 1 / link}
    factors |= dict.fromkeys(_ARITHMETIC, compute) | dict.fromkeys(_MEMORY, memory)

    def scaled(curves: Sequence[Ceiling]) -> tuple[Ceiling, ...]:
        return tuple(_scaled(curve, factors.get(curve.kind, 1.0)) for curve in curves)

    return replace(
        ceilings,
        curves=scaled(ceilings.curves),
        # Records from before a drift are held against these.
        superseded=tuple(replace(old, curves=scaled(old.curves)) for old in ceilings.superseded),
        all_reduce_latency_s=latency / link if latency is not None else None,
        all_reduce_bytes_per_s=rate * link if rate is not None else None,
    )


def altered_record(
    record: Record, machine: Machine, alterations: Sequence[Alteration], stance: Stance
) -> Record:
    """The record as it would have been measured on the altered machine."""
    steps = record.result.steps
    if steps is None:
        return record
    change = change_of(record, steps, machine, alterations, stance)
    moved = replayed(steps, change, record.point.ranks_that_meet)
    return replace(record, result=replace(record.result, steps=moved))


def change_of(
    record: Record, steps: Steps, machine: Machine, alterations: Sequence[Alteration], stance: Stance
) -> Change:
    """What the alterations do to each phase of this record."""
    by_part = {alteration.part: alteration for alteration in alterations}
    factor: dict[Phase, float] = {}
    if Part.INPUT in by_part:
        factor[Phase.INPUT_PRODUCE] = 1 / by_part[Part.INPUT].speed
    if Part.INTERCONNECT in by_part:
        factor[Phase.COMMUNICATION] = 1 / by_part[Part.INTERCONNECT].speed
    if by_part.keys() & NEEDS_CEILINGS:
        factor |= _device_factors(record, steps, machine, alterations, stance)
    return Change(factor=factor, is_even=Part.IMBALANCE in by_part)


def _device_factors(
    record: Record, steps: Steps, machine: Machine, alterations: Sequence[Alteration], stance: Stance
) -> Mapping[Phase, float]:
    """By how much the operations of each phase become longer: their floors, and what lies above these."""
    old = machine.floors(record)
    if old is None or machine.ceilings is None:
        raise ValueError(f"the ceilings of {record.record_id} are unknown")
    new = Machine(ceilings=altered_ceilings(machine.ceilings, alterations), cost=machine.cost).floors(record)
    speeds = [one.speed for one in alterations if one.part in NEEDS_CEILINGS - {Part.UNEXPLAINED}]
    is_at_ceiling = any(one.part is Part.UNEXPLAINED for one in alterations)
    factors = {}
    for phase in DEVICE_PHASES:
        time = _PhaseTime(
            typical=float(np.median(np.asarray(steps.duration_ns[phase], dtype=np.float64))),
            before=sum(duration_by_limit(old, phase)),
            after=sum(duration_by_limit(new or (), phase)),
        )
        factors[phase] = time.at_ceiling() if is_at_ceiling else time.factor(stance, speeds)
    return factors


@dataclass(frozen=True, slots=True, kw_only=True)
class _PhaseTime:
    """A phase takes ``typical``, of which ceilings explain ``before``, which becomes ``after`` [ns]."""

    typical: float
    before: float
    after: float

    @property
    def _ratio(self) -> float:
        return self.after / self.before if self.before > 0 else 1.0

    @property
    def _explained(self) -> float:
        """Share of the phase; floors above the measured time cannot explain more than all of it."""
        return min(self.before / self.typical, 1.0) if self.typical > 0 else 1.0

    def at_ceiling(self) -> float:
        """The factor when nothing lies above the ceilings; work that is not counted stays."""
        return self._explained * self._ratio if self.before > 0 else 1.0

    def factor(self, stance: Stance, speeds: Sequence[float]) -> float:
        """The factor when the rest does as the stance says."""
        if stance is Stance.EXPECTED:
            return self._ratio
        if stance is Stance.LEAST:
            rest = 1.0
        else:
            rest = 1 / max(speeds, key=lambda speed: abs(math.log(min(speed, _REMOVED_SPEED))))
        return self._explained * self._ratio + (1 - self._explained) * rest


def _scaled(curve: Ceiling, factor: float) -> Ceiling:
    return replace(curve, rates=tuple(rate.scaled(factor) for rate in curve.rates))
