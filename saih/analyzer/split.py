"""The typical step split into causes: shares of it by limit, each with its resamples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.critical_path import DEVICE_PHASES, CriticalPath
from saih.analyzer.propagation import log_deviation
from saih.analyzer.resampling import typical_parts
from saih.analyzer.roofline import ROOFLINE_LIMITS, Floor, duration_by_limit
from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.trend import Limit

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows over resamples; the first entry is the measured one."""

    shares: Mapping[Limit, Array]
    """Of the step; they sum to 1."""
    explained: Array
    """Share of the useful work that the floors account for."""
    whole_ns: Array
    """The typical step."""
    factors: Mapping[Limit, Array]
    """How much longer each class's floor may be, from the interval of its ceiling; empty without ceilings."""
    work_ns: float
    """Useful work of the typical step, without imbalance."""


def split_step(
    path: CriticalPath, found: Sequence[Floor], ceilings: Ceilings | None, precision: str, worker_delay: float
) -> Split:
    """Shares of the typical step.

    Useful work is held against its floors; what they leave is unexplained, or unknown without ceilings.
    ``worker_delay`` is the share of time for which a thread that works beside the stepping one waited for a
    processor beyond what that one did: it is starvation as far as the floors leave work unexplained.
    """
    rows, deviates = typical_parts(path.table, len(ROOFLINE_LIMITS))
    work = dict(zip(DEVICE_PHASES, rows[: len(DEVICE_PHASES)], strict=True))
    imbalance, starved, crowded, storage, waiting, staged, transfer = rows[len(DEVICE_PHASES) :]
    whole = rows.sum(axis=0)
    factors = _ceiling_factors(ceilings, precision, deviates) if ceilings is not None else {}
    classes, explained = _classes(work, found, factors) if factors else ({}, np.zeros_like(whole))
    useful = rows[: len(DEVICE_PHASES)].sum(axis=0)
    rest = np.maximum(useful - explained, 0.0)
    beside = np.minimum(worker_delay * useful, rest) if ceilings is not None else np.zeros_like(rest)
    shares = {limit: row / whole for limit, row in classes.items()}
    shares[Limit.INTERCONNECT] = transfer / whole
    shares[Limit.STORAGE] = storage / whole
    shares[Limit.INPUT] = (waiting + crowded) / whole
    shares[Limit.IMBALANCE] = (imbalance + staged) / whole
    if path.has_delays:
        shares[Limit.CONTENTION] = (starved + beside) / whole
    shares[Limit.UNEXPLAINED if ceilings is not None else Limit.UNKNOWN] = (
        rest - (beside if path.has_delays else 0.0)
    ) / whole
    return Split(
        shares=shares,
        explained=np.divide(explained, useful, out=np.ones_like(whole), where=useful > 0),
        whole_ns=whole,
        factors=factors,
        work_ns=float(useful[0]),
    )


def _classes(
    work: Mapping[str, Array], found: Sequence[Floor], factors: Mapping[Limit, Array]
) -> tuple[dict[Limit, Array], Array]:
    """Time of the useful work by class of its floors, and their sum."""
    rows = np.stack(list(factors.values()))
    least = np.array([duration_by_limit(found, phase) for phase in work], dtype=np.float64)
    parts = least[:, :, None] * rows
    total, measured = parts.sum(axis=1), np.stack(list(work.values()))
    # Floors above the measured time cannot explain more than all of it.
    shrink = np.minimum(1.0, np.divide(measured, total, out=np.ones_like(measured), where=total > 0))
    classes = (parts * shrink[:, None]).sum(axis=0)
    return dict(zip(factors, classes, strict=True)), np.asarray(classes.sum(axis=0))


def _ceiling_factors(ceilings: Ceilings, precision: str, deviates: Array) -> dict[Limit, Array]:
    """How much longer each class's floor may be, from the interval of its ceiling; 1 for the measured one."""
    curves = {
        Limit.COMPUTE: ceilings.peak_flops_per_s(precision),
        Limit.MEMORY: _best(ceilings, CeilingKind.MEMORY),
        Limit.LAUNCH: _best(ceilings, CeilingKind.LAUNCH),
    }
    factors = {}
    for (limit, rate), own in zip(curves.items(), deviates, strict=True):
        deviation = log_deviation(rate) if rate is not None and rate.low > 0 else 0.0
        factors[limit] = np.exp(deviation * own)
        factors[limit][0] = 1.0
    return factors


def _best(ceilings: Ceilings, kind: CeilingKind) -> Interval | None:
    curve = ceilings.curve(kind)
    return curve.best if curve is not None else None
