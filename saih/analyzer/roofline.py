"""The least time each operation can take on this machine, and which ceiling sets it."""

from collections.abc import Sequence
from dataclasses import dataclass

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.trend import Limit
from workloads.protocol import Cost, Operation, OpKind

ROOFLINE_LIMITS = (Limit.COMPUTE, Limit.MEMORY, Limit.LAUNCH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The least time of one operation on one rank while all ranks work."""

    operation: Operation
    limit: Limit
    """Which of compute, memory and launch takes longest, and so names the operation's class."""
    duration_ns: float
    ceiling_flops_per_s: float
    """Over all ranks, of the operation's kind at its number of channels; 0 where none was measured."""


def floors(cost: Cost, num_ranks: int, ceilings: Ceilings, precision: str) -> tuple[Floor, ...]:
    """Floor of every operation: max(FLOPs / ceiling, bytes / bandwidth, kernels x launch).

    The time-based roofline with launch cost (Wang et al., arXiv:2009.04598). Ceilings are curves: the
    arithmetic one is read at the operation's channels, the memory one at the traffic of one kernel of it, so
    that work which fits a cache is held against the cache. Rates of ceilings are over all ranks.
    """
    return tuple(_floor(operation, num_ranks, ceilings, precision) for operation in cost.operations)


def has_arithmetic(ceilings: Ceilings, precision: str) -> bool:
    """Whether any arithmetic ceiling was measured at this precision."""
    return ceilings.peak_flops_per_s(precision) is not None


def duration_by_limit(found: Sequence[Floor], phase: str) -> tuple[float, float, float]:
    """Sum of the floors of one phase [ns], by class: compute, memory, launch."""
    compute, memory, launch = (
        sum(floor.duration_ns for floor in found if floor.operation.phase == phase and floor.limit is limit)
        for limit in ROOFLINE_LIMITS
    )
    return compute, memory, launch


def _floor(operation: Operation, num_ranks: int, ceilings: Ceilings, precision: str) -> Floor:
    arithmetic = _arithmetic_curve(operation, ceilings, precision)
    rate = arithmetic.at(operation.channels) if arithmetic is not None else 0.0
    memory = ceilings.curve(CeilingKind.MEMORY)
    launch = ceilings.curve(CeilingKind.LAUNCH)
    # Several kernels go one after another: what each of them touches decides which cache holds it.
    traffic = operation.memory_bytes / max(1, operation.num_kernels)
    bandwidth = memory.at(traffic) if memory is not None else 0.0
    durations = {
        Limit.COMPUTE: operation.flops * num_ranks / rate if rate else 0.0,
        Limit.MEMORY: operation.memory_bytes * num_ranks / bandwidth if bandwidth else 0.0,
        Limit.LAUNCH: operation.num_kernels * launch.at(1.0) if launch is not None else 0.0,
    }
    limit = max(durations, key=lambda name: durations[name])
    return Floor(
        operation=operation, limit=limit, duration_ns=durations[limit] * 1e9, ceiling_flops_per_s=rate
    )


def _arithmetic_curve(operation: Operation, ceilings: Ceilings, precision: str) -> Ceiling | None:
    """The curve of the operation's own kind, or of products where that kind was not measured."""
    kind = CeilingKind.GEMM
    if operation.kind is OpKind.CONVOLUTION:
        is_backward = operation.phase == "backward"
        kind = CeilingKind.CONVOLUTION_BACKWARD if is_backward else CeilingKind.CONVOLUTION_FORWARD
    if operation.kind is OpKind.ELEMENTWISE:
        return None
    return ceilings.curve(kind, precision) or ceilings.curve(CeilingKind.GEMM, precision)
