"""The ceilings of many placements as one table: a row each, the best of every curve."""

from collections.abc import Sequence

from saih.domain.ceiling import CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.quantity import interval_with_si, with_si
from saih.reports.document import Column, Table
from saih.reports.label import shortened

_NAME = 60
_ABSENT = "not measured"


def placements_table(ceilings: Sequence[Ceilings], precisions: Sequence[str]) -> Table:
    """One row for each placement and precision, over all ranks of the placement."""
    columns = (
        Column(title="placement", weight=2.2),
        Column(title="precision", weight=0.9),
        Column(title="best arithmetic [interval], n", weight=2.4, side="right"),
        Column(title="vendor's peak", weight=1.1, side="right"),
        Column(title="main memory [interval], n", weight=2.2, side="right"),
        Column(title="storage, best", weight=1.0, side="right"),
        Column(title="all-reduce: latency", weight=1.0, side="right"),
        Column(title="bandwidth", weight=1.0, side="right"),
        Column(title="launch", weight=0.8, side="right"),
    )
    rows = tuple(
        _row(found, precision)
        for found in ceilings
        for precision in precisions
        if precision in found.precisions or len(precisions) == 1
    )
    return Table(columns=columns, rows=rows, alt="Ceilings of every placement")


def _row(found: Ceilings, precision: str) -> tuple[str, ...]:
    memory, storage = found.curve(CeilingKind.MEMORY), found.curve(CeilingKind.STORAGE_READ)
    launch = found.curve(CeilingKind.LAUNCH)
    vendor = found.vendor_flops_per_s.get(precision)
    return (
        shortened(found.placement_label, _NAME),
        shortened(precision, 20),
        _words(found.peak_flops_per_s(precision), "FLOP/s"),
        with_si(vendor, "FLOP/s") if vendor else "unknown",
        _words(memory.rates[-1] if memory else None, "B/s"),
        with_si(storage.best.value, "B/s") if storage else _ABSENT,
        _fitted(found.all_reduce_latency_s, "s"),
        _fitted(found.all_reduce_bytes_per_s, "B/s"),
        with_si(launch.rates[0].value, "s") if launch else _ABSENT,
    )


def _words(rate: Interval | None, unit: str) -> str:
    return f"{interval_with_si(rate, unit)}, {rate.count}" if rate is not None else _ABSENT


def _fitted(value: float | None, unit: str) -> str:
    return with_si(value, unit) if value is not None else "one rank or not measured"
