"""Ceilings of ranks that are held to rates of others: what they wait for instead of computing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from saih.domain.ceiling import Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.point import Point
from saih.domain.quantity import counted, with_si
from saih.domain.record import Record
from saih.domain.trend import PointSummary
from workloads.protocol import Cost

_REPLACED = frozenset(
    {
        CeilingKind.GEMM,
        CeilingKind.CONVOLUTION_FORWARD,
        CeilingKind.CONVOLUTION_BACKWARD,
        CeilingKind.CONVOLUTION_BACKWARD_INPUT,
        CeilingKind.CONVOLUTION_BACKWARD_WEIGHT,
        CeilingKind.MEMORY,
        CeilingKind.LAUNCH,
    }
)
"""A rank that waits in place of computing launches nothing."""
_PACED = "paced devices"
"""How the note of a record's mode begins where its ranks waited in place of computing."""
_SAME = 1e-3
"""Two peaks that differ by less are the same one."""


def ceilings_for(
    record: Record, cost: Cost, measured: Ceilings | None, *, of_busiest: bool = False
) -> Ceilings | None:
    """What a record is held against: the measured ceilings, but for the rates that its problem gives.

    ``of_busiest``: as low as they are for the rank that its plan gives most to do. None where ranks were held
    to rates that its problem does not give, such as those of a testbed.
    """
    given = cost.given
    if given is None or not given.flops_per_s:
        return None if record.result.notes.get("mode", "").startswith(_PACED) else measured
    point, slower = record.point, given.busiest_over_mean if of_busiest else 1.0
    known = measured if measured is not None else _unmeasured(record)
    curves = (
        _flat(CeilingKind.GEMM, point, given.flops_per_s / slower, "FLOP/s"),
        _flat(CeilingKind.MEMORY, point, given.memory_bytes_per_s / slower, "B/s"),
    )
    kept = tuple(curve for curve in known.curves if curve.kind not in _REPLACED)
    return replace(known, curves=(*curves, *kept), vendor_flops_per_s={}, superseded=())


def shown_ceilings(
    usable: Mapping[str, Ceilings], points: Sequence[PointSummary]
) -> tuple[tuple[Ceilings, ...], tuple[str, ...]]:
    """The ceilings of each placement as reports show them, and what a reader must know of them.

    Where ranks were held to other rates than those of the machine, what was measured would mislead: the given
    peak takes its place, or none where the points of a placement have several.
    """
    shown, warnings = [], []
    for placement, measured in usable.items():
        held = _held_peaks([one for one in points if one.point.placement.seats_label == placement])
        if not held:
            shown.append(measured)
            continue
        kept = tuple(curve for curve in measured.curves if curve.kind not in _REPLACED)
        alike = max(held.values()) <= (1 + _SAME) * min(held.values())
        first = next(one.point for one in points if one.record_id in held)
        rate = max(held.values()) / first.placement.num_ranks
        given = (_flat(CeilingKind.GEMM, first, rate, "FLOP/s"),) if alike else ()
        shown.append(replace(measured, curves=(*given, *kept), vendor_flops_per_s={}))
        what = with_si(max(held.values()), "FLOP/s") if alike else "several"
        warnings.append(
            f"{counted(len(held), 'point')} on {placement}: ranks took the time of other devices in place of "
            f"computing; their peak ({what}) is the one that the sweep gives, not one that was measured."
        )
    return tuple(shown), tuple(warnings)


def given_peak(point: PointSummary) -> float | None:
    """The peak [FLOP/s] that a point's share is of, where its problem gives it."""
    share = point.share_of_peak
    return point.flops_per_s.value / share.value if point.is_peak_given and share is not None else None


def _held_peaks(points: Sequence[PointSummary]) -> dict[str, float]:
    """Record id -> given peak [FLOP/s] of each point that has one."""
    return {one.record_id: peak for one in points if (peak := given_peak(one)) is not None}


def _flat(kind: CeilingKind, point: Point, rate: float, unit: str) -> Ceiling:
    """The same at every size; ceilings are those of all ranks together."""
    total = rate * point.placement.num_ranks
    return Ceiling(
        kind=kind,
        precision=point.precision if kind is CeilingKind.GEMM else "",
        unit=unit,
        size_unit="",
        sizes=(1.0,),
        rates=(Interval(value=total, low=total, high=total, level=0.95, count=1),),
    )


def _unmeasured(record: Record) -> Ceilings:
    return Ceilings(
        environment_id=record.environment.environment_id,
        placement_label=record.point.placement.seats_label,
        curves=(),
        measured_utc=record.finished_utc,
        all_reduce_latency_s=None,
        all_reduce_bytes_per_s=None,
        vendor_flops_per_s={},
    )
