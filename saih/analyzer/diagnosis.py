"""The verdict at one point: what its typical step is spent on, and whether one cause stands out."""

import numpy as np
from numpy.typing import NDArray

from saih.analyzer import evidence
from saih.analyzer.contention import CLASSES_OF_WORK, contention_gate, worker_delay
from saih.analyzer.critical_path import critical_path
from saih.analyzer.resampling import bounds, central_means, intervals_of
from saih.analyzer.roofline import ROOFLINE_LIMITS, floors, has_arithmetic
from saih.analyzer.split import Split, split_step
from saih.analyzer.step_table import at_rows, table_of
from saih.domain.ceiling import Ceilings
from saih.domain.contention import NOTHING_KNOWN, Contention
from saih.domain.point import Point
from saih.domain.record import STEP_PHASES, Steps
from saih.domain.trend import Diagnosis, Limit
from workloads.protocol import Cost

Array = NDArray[np.float64]
LEAST_MARGIN = 0.05
"""A leader must exceed the runner-up by this share of the step, or the verdict is mixed."""
LEAST_EXPLAINED = 0.6
LEAST_CEILING = 0.8
GREATEST_CEILING = 1.1
"""Above this share of the measured peak the peak itself must be wrong."""
_UNNAMED = (Limit.CEILING, Limit.BEYOND, Limit.MIXED)
"""Verdicts that name no cause, so that the largest one comes second."""


def diagnose(
    steps: Steps,
    cost: Cost,
    point: Point,
    ceilings: Ceilings | None,
    pressure: Contention = NOTHING_KNOWN,
) -> Diagnosis:
    """Split the typical step into causes along its critical path, and name the largest if it stands out.

    ``pressure`` is what the record notes of others on the machine. Shares and their intervals come from a
    circular block bootstrap over steps with a fixed seed, in which the ceilings vary within their own
    intervals too.
    """
    path = critical_path(steps, cost.input_bytes, point.ranks_that_meet)
    if cost.given is not None and cost.given.flops_per_s:
        pressure = NOTHING_KNOWN  # who waits in place of computing needs no processor, but to wake in time
    gate = contention_gate(path, pressure)
    known = ceilings if ceilings is not None and has_arithmetic(ceilings, point.precision) else None
    found = floors(cost, point.placement.num_ranks, known, point.precision) if known is not None else ()
    split = split_step(path, found, known, point.precision, worker_delay(pressure))
    peak_share = _peak_share(split, cost, point, known)
    leader, runner_up = _leaders(split, is_contended=gate.is_contended)
    limit = _verdict(split, leader, runner_up, peak_share, is_contended=gate.is_contended)
    shares = intervals_of(split.shares, steps.num_steps)
    table = table_of(steps)
    phases = np.vstack([at_rows(table.additive, path.rows), at_rows(table.stage_wait, path.rows)])
    scene = evidence.Scene(
        typical_ns=dict(zip(STEP_PHASES, central_means(phases).tolist(), strict=True)),
        work_ns=split.work_ns,
        shares=shares,
        explained=float(split.explained[0]),
        floors=found,
        peak_share=float(peak_share[0]) if peak_share is not None else None,
        rivals=(leader, runner_up) if limit is Limit.MIXED else None,
        gate=gate,
    )
    return Diagnosis(
        limit=limit,
        runner_up=leader if limit in _UNNAMED and leader is not limit else runner_up,
        shares=shares,
        evidence=evidence.sentences(scene, cost, point, known, (path, steps)),
        is_contended=gate.is_contended,
    )


def _peak_share(split: Split, cost: Cost, point: Point, ceilings: Ceilings | None) -> Array | None:
    peak = ceilings.peak_flops_per_s(point.precision) if ceilings is not None else None
    if peak is None:
        return None
    flops = cost.flops * point.placement.num_ranks
    shares = flops * 1e9 / split.whole_ns / peak.value * split.factors[Limit.COMPUTE]
    return np.asarray(shares, dtype=np.float64)


def _leaders(split: Split, *, is_contended: bool) -> tuple[Limit, Limit]:
    """The largest and second largest cause that may be named.

    Where the floors explain too little of the work, their classes are not named at all; where they explain
    enough, the rest is ordinary inefficiency and does not compete. On contended processors no class of work
    is named.
    """
    shares = dict(split.shares)
    if is_contended:
        shares = {limit: row for limit, row in shares.items() if limit not in CLASSES_OF_WORK}
    elif split.explained[0] >= LEAST_EXPLAINED:
        shares.pop(Limit.UNEXPLAINED, None)
    else:
        shares = {limit: row for limit, row in shares.items() if limit not in ROOFLINE_LIMITS}
    ranked = sorted(shares, key=lambda limit: -shares[limit][0])
    return ranked[0], ranked[1]


def _verdict(
    split: Split, leader: Limit, runner_up: Limit, peak_share: Array | None, *, is_contended: bool
) -> Limit:
    if is_contended:
        return _contended_verdict(split, leader)
    if peak_share is not None:
        lowest = float(bounds(peak_share)[0])
        if lowest >= GREATEST_CEILING:
            return Limit.BEYOND
        if lowest >= LEAST_CEILING:
            return Limit.CEILING
    if _leads(split.shares[leader] - split.shares[runner_up]):
        return leader
    return Limit.MIXED if Limit.UNKNOWN not in (leader, runner_up) else Limit.UNKNOWN


def _contended_verdict(split: Split, leader: Limit) -> Limit:
    """A wait that surely exceeds all work and starvation together; else the contention, where it was seen."""
    contention = split.shares.get(Limit.CONTENTION, np.zeros_like(split.whole_ns))
    classes = [row for limit, row in split.shares.items() if limit in CLASSES_OF_WORK]
    work = np.sum([contention, *classes], axis=0)
    if leader not in (Limit.CONTENTION, Limit.UNKNOWN) and _leads(split.shares[leader] - work):
        return leader
    return Limit.CONTENTION if Limit.CONTENTION in split.shares else Limit.UNEXPLAINED


def _leads(lead: Array) -> bool:
    """Whether a cause exceeds another surely, and by enough to matter."""
    return bool(bounds(lead)[0] > LEAST_MARGIN and lead[0] > LEAST_MARGIN)
