"""How fast one rank is taken to be when time is planned."""

import math
from dataclasses import dataclass

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.point import Placement

ARITHMETIC_SHARE = 0.2
"""Of the measured peak that whole steps are taken to reach; small layers reach less than large products."""
TRANSFER_SHARE = 0.5
"""Of the measured best of memory, storage and network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What one rank does in a second, while all ranks of its placement work."""

    flops_per_s: float
    memory_bytes_per_s: float
    input_bytes_per_s: float
    kernel_s: float
    """Host time to start one operation [s]."""
    reduce_s: float
    """What one all-reduce takes however small it is [s]."""
    reduce_bytes_per_s: float


def rates_of(placement: Placement, precision: str, ceilings: Ceilings | None) -> Rates:
    """Rates from measured ceilings where there are some, else those that slow machines reach."""
    assumed = _assumed(placement)
    peak = ceilings.peak_flops_per_s(precision) if ceilings is not None else None
    if ceilings is None or peak is None or peak.value <= 0:
        return assumed
    ranks = placement.num_ranks
    memory = _best(ceilings.curve(CeilingKind.MEMORY), lowest=True)
    storage = _best(ceilings.curve(CeilingKind.STORAGE_READ), lowest=True)
    launch = _best(ceilings.curve(CeilingKind.LAUNCH), lowest=False)
    link = ceilings.all_reduce_bytes_per_s
    return Rates(
        flops_per_s=ARITHMETIC_SHARE * peak.value / ranks,
        memory_bytes_per_s=TRANSFER_SHARE * memory / ranks if memory else assumed.memory_bytes_per_s,
        input_bytes_per_s=TRANSFER_SHARE * storage / ranks if storage else assumed.input_bytes_per_s,
        kernel_s=launch or assumed.kernel_s,
        reduce_s=ceilings.all_reduce_latency_s or assumed.reduce_s,
        reduce_bytes_per_s=TRANSFER_SHARE * link if link else assumed.reduce_bytes_per_s,
    )


def _assumed(placement: Placement) -> Rates:
    """What nearly every machine of the last ten years reaches in whole training steps."""
    hops = math.ceil(math.log2(placement.num_ranks)) if placement.num_ranks > 1 else 0
    is_gpu = placement.device == "cuda"
    threads = placement.threads_per_rank
    return Rates(
        flops_per_s=4e12 * placement.gpus_per_rank if is_gpu else 2e10 * threads,
        memory_bytes_per_s=2e11 if is_gpu else 4e9,
        input_bytes_per_s=5e7,
        kernel_s=2e-5,
        reduce_s=2e-4 * hops,
        reduce_bytes_per_s=5e8,
    )


def _best(curve: Ceiling | None, *, lowest: bool) -> float:
    """The lowest rate of a curve, or the longest time; 0 where it was not measured."""
    if curve is None:
        return 0.0
    values = [rate.value for rate in curve.rates]
    return min(values) if lowest else max(values)
