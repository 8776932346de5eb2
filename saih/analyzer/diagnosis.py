"""The verdict at one point: what its typical step is spent on, and whether one cause stands out."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from saih.analyzer import evidence
from saih.analyzer.correlation import block_indices, correlation_time
from saih.analyzer.propagation import log_deviation
from saih.analyzer.roofline import ROOFLINE_LIMITS, Floor, duration_by_limit, floors, has_arithmetic
from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.point import Point
from saih.domain.record import ADDITIVE_PHASES, Phase
from saih.domain.trend import Diagnosis, Limit
from workloads.protocol import Cost

Array = NDArray[np.float64]
DEVICE_PHASES = (Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER, Phase.OTHER)
LEVEL = 0.95
NUM_RESAMPLES = 400
SEED = 20
CENTRAL_SHARE = 0.8
"""Share of the steps, ordered by duration, whose mean stands for the typical step."""
LEAST_MARGIN = 0.05
"""A leader must exceed the runner-up by this share of the step, or the verdict is mixed."""
LEAST_EXPLAINED = 0.6
LEAST_CEILING = 0.8
GREATEST_CEILING = 1.1
"""Above this share of the measured peak the peak itself must be wrong."""
_UNNAMED = (Limit.CEILING, Limit.BEYOND, Limit.MIXED)
"""Verdicts that name no cause, so that the largest one comes second."""


def diagnose(phases: Mapping[Phase, Array], cost: Cost, point: Point, ceilings: Ceilings | None) -> Diagnosis:
    """Split the typical step into causes and name the largest, if it stands out.

    ``phases`` hold one duration per step [ns] on the rank that decides it. Shares and their intervals come
    from a circular block bootstrap over steps with a fixed seed, in which the ceilings vary within their own
    intervals too.
    """
    typical, deviates = _typical_phases(phases)
    known = ceilings if ceilings is not None and has_arithmetic(ceilings, point.precision) else None
    found = floors(cost, point.placement.num_ranks, known, point.precision) if known is not None else ()
    factors = _ceiling_factors(known, point.precision, deviates)
    split = _split(typical, found, factors, is_known=known is not None)
    intervals = _intervals(split.shares, len(phases[Phase.FORWARD]))
    peak_share = _peak_share(typical, cost, point, known, factors)
    leader, runner_up = _leaders(split)
    limit = _verdict(split, leader, runner_up, peak_share)
    scene = evidence.Scene(
        typical_ns={phase: float(row[0]) for phase, row in typical.items()},
        produce_ns=float(np.median(phases[Phase.INPUT_PRODUCE])) if Phase.INPUT_PRODUCE in phases else None,
        shares=intervals,
        explained=float(split.explained[0]),
        floors=found,
        peak_share=float(peak_share[0]) if peak_share is not None else None,
    )
    return Diagnosis(
        limit=limit,
        runner_up=leader if limit in _UNNAMED and leader is not limit else runner_up,
        shares=intervals,
        evidence=evidence.sentences(scene, cost, point, known),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Split:
    """Rows over resamples; the first entry is the measured one."""

    shares: Mapping[Limit, Array]
    explained: Array
    """Share of the device phases that the floors account for."""


def _typical_phases(phases: Mapping[Phase, Array]) -> tuple[dict[Phase, Array], Array]:
    """Mean of each additive phase over the central steps [ns], measured first and then resampled.

    Ordered by duration, a tenth of the steps is left out at either end: outliers do not count, waits that
    come only at every few steps do, and the phases still sum to the step. With them come the normal deviates
    for the ceilings, from the same generator.
    """
    table = np.stack([phases[phase] for phase in ADDITIVE_PHASES])
    whole = table.sum(axis=0)
    count = len(whole)
    block = max(1, round(min(correlation_time(whole), count / 3)))
    occurrences, deviates = _draws(count, block)
    order = np.argsort(whole, kind="stable")
    cut = int(count * (1 - CENTRAL_SHARE) / 2)
    # Central steps up to each one, by duration, without sorting every resample; the sum over steps of how
    # often each is central times its phases is then one by parts.
    ordered = table[:, order]
    passed = np.clip(occurrences[:, order].cumsum(axis=1), cut, count - cut) - cut
    parts = ordered - np.append(ordered[:, 1:], np.zeros((len(ordered), 1)), axis=1)
    means = parts @ passed.T / (count - 2 * cut)
    return dict(zip(ADDITIVE_PHASES, means, strict=True)), deviates


@lru_cache(maxsize=64)
def _draws(count: int, block: int) -> tuple[Array, Array]:
    """How often each step occurs in each resample, the measured one first, and deviates of the ceilings.

    The seed is fixed, so that these follow from the number of steps and the length of blocks alone.
    """
    generator = np.random.default_rng(SEED)
    rows = np.vstack([np.arange(count), block_indices(count, block, NUM_RESAMPLES, generator)])
    offsets = count * np.arange(len(rows))[:, None]
    counts = np.bincount((rows + offsets).ravel(), minlength=rows.size)
    occurrences = counts.reshape(rows.shape).astype(np.float64)
    deviates = generator.standard_normal((len(ROOFLINE_LIMITS), NUM_RESAMPLES + 1))
    return occurrences, deviates


def _ceiling_factors(ceilings: Ceilings | None, precision: str, deviates: Array) -> dict[Limit, Array]:
    """How much longer each class's floor may be, from the interval of its ceiling; 1 for the measured one."""
    curves = {
        Limit.COMPUTE: ceilings.peak_flops_per_s(precision) if ceilings is not None else None,
        Limit.MEMORY: _best(ceilings, CeilingKind.MEMORY),
        Limit.LAUNCH: _best(ceilings, CeilingKind.LAUNCH),
    }
    factors = {}
    for (limit, rate), own in zip(curves.items(), deviates, strict=True):
        deviation = log_deviation(rate) if rate is not None and rate.low > 0 else 0.0
        factors[limit] = np.exp(deviation * own)
        factors[limit][0] = 1.0
    return factors


def _best(ceilings: Ceilings | None, kind: CeilingKind) -> Interval | None:
    curve = ceilings.curve(kind) if ceilings is not None else None
    return curve.best if curve is not None else None


def _split(
    typical: Mapping[Phase, Array],
    found: tuple[Floor, ...],
    factors: Mapping[Limit, Array],
    *,
    is_known: bool,
) -> _Split:
    whole = np.sum([typical[phase] for phase in ADDITIVE_PHASES], axis=0)
    device = np.sum([typical[phase] for phase in DEVICE_PHASES], axis=0)
    classes = {limit: np.zeros_like(whole) for limit in ROOFLINE_LIMITS}
    for phase in DEVICE_PHASES:
        least = duration_by_limit(found, phase)
        parts = {limit: share * factors[limit] for limit, share in zip(ROOFLINE_LIMITS, least, strict=True)}
        total = np.sum(list(parts.values()), axis=0)
        # Floors above the measured time cannot explain more than all of it.
        shrink = np.minimum(1.0, np.divide(typical[phase], total, out=np.ones_like(whole), where=total > 0))
        for limit, part in parts.items():
            classes[limit] += part * shrink
    explained = np.sum(list(classes.values()), axis=0)
    shares = {limit: row / whole for limit, row in classes.items()} if is_known else {}
    shares[Limit.INTERCONNECT] = typical[Phase.COMMUNICATION] / whole
    shares[Limit.INPUT] = typical[Phase.INPUT_WAIT] / whole
    shares[Limit.UNEXPLAINED if is_known else Limit.UNKNOWN] = np.maximum(device - explained, 0.0) / whole
    return _Split(
        shares=shares,
        explained=np.divide(explained, device, out=np.ones_like(whole), where=device > 0),
    )


def _peak_share(
    typical: Mapping[Phase, Array],
    cost: Cost,
    point: Point,
    ceilings: Ceilings | None,
    factors: Mapping[Limit, Array],
) -> Array | None:
    peak = ceilings.peak_flops_per_s(point.precision) if ceilings is not None else None
    if peak is None:
        return None
    whole = np.sum([typical[phase] for phase in ADDITIVE_PHASES], axis=0)
    shares = cost.flops * point.placement.num_ranks * 1e9 / whole / peak.value * factors[Limit.COMPUTE]
    return np.asarray(shares, dtype=np.float64)


def _leaders(split: _Split) -> tuple[Limit, Limit]:
    """The largest and second largest cause that may be named.

    Where the floors explain too little of the device phases, their classes are not named at all; where they
    explain enough, the rest is ordinary inefficiency and does not compete.
    """
    shares = dict(split.shares)
    if split.explained[0] >= LEAST_EXPLAINED:
        shares.pop(Limit.UNEXPLAINED, None)
    else:
        shares = {limit: row for limit, row in shares.items() if limit not in ROOFLINE_LIMITS}
    ranked = sorted(shares, key=lambda limit: -shares[limit][0])
    return ranked[0], ranked[1]


def _verdict(split: _Split, leader: Limit, runner_up: Limit, peak_share: Array | None) -> Limit:
    if peak_share is not None:
        lowest = float(_bounds(peak_share)[0])
        if lowest >= GREATEST_CEILING:
            return Limit.BEYOND
        if lowest >= LEAST_CEILING:
            return Limit.CEILING
    lead = split.shares[leader] - split.shares[runner_up]
    if _bounds(lead)[0] > LEAST_MARGIN and lead[0] > LEAST_MARGIN:
        return leader
    return Limit.MIXED if Limit.UNKNOWN not in (leader, runner_up) else Limit.UNKNOWN


def _bounds(resampled: Array) -> tuple[Array, Array]:
    """Lower and upper percentile at ``LEVEL`` along the last axis: order statistics, as 400 + 1 allow."""
    last = resampled.shape[-1] - 1
    low, high = round((1 - LEVEL) / 2 * last), round((1 + LEVEL) / 2 * last)
    ordered = np.partition(resampled, (low, high), axis=-1)
    return ordered[..., low], ordered[..., high]


def _intervals(shares: Mapping[Limit, Array], count: int) -> dict[Limit, Interval]:
    """Percentile intervals of the bootstrapped shares around the measured ones."""
    bounds = _bounds(np.array(list(shares.values())))
    return {
        limit: Interval(
            low=float(min(low, row[0])),
            value=float(row[0]),
            high=float(max(high, row[0])),
            level=LEVEL,
            count=count,
        )
        for (limit, row), low, high in zip(shares.items(), *bounds, strict=True)
    }
