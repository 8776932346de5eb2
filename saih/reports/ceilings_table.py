"""Ceilings as tables: of one placement with the laws of its messages, and of many placements, a row each."""

from collections.abc import Sequence

from saih.domain.ceiling import TIME_KINDS, Ceiling, CeilingKind, Ceilings
from saih.domain.interval import Interval
from saih.domain.quantity import interval_with_si, with_si, with_si_short
from saih.reports.document import Column, Table
from saih.reports.label import shortened

_NAME = 60
_ABSENT = "not measured"
_MESSAGES = (CeilingKind.ALL_REDUCE, CeilingKind.ALL_GATHER, CeilingKind.REDUCE_SCATTER, CeilingKind.SEND)


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


def ceilings_table(ceilings: Ceilings) -> Table:
    """The best of each curve with its interval, and where it was found; of variants the first."""
    columns = (
        Column(title="ceiling", weight=2.2),
        Column(title="precision", weight=0.9),
        Column(title="best [interval]", weight=2.6, side="right"),
        Column(title="repeats", weight=0.7, side="right"),
        Column(title="at", weight=1.5),
        Column(title="sizes measured", weight=1.8),
    )
    rows = [row for curve in _shown(ceilings) for row in _ceiling_rows(curve)]
    for precision, flops_per_s in sorted(ceilings.vendor_flops_per_s.items()):
        rate = with_si(flops_per_s, "FLOP/s")
        rows.append(("vendor's peak", precision, rate, "", "not measured", ""))
    return Table(columns=columns, rows=tuple(rows), alt=f"Ceilings of {ceilings.placement_label}")


def message_laws_table(ceilings: Ceilings) -> Table | None:
    """Latency and bandwidth of every protocol of every message; None where no law was fitted."""
    columns = (
        Column(title="message", weight=2.2),
        Column(title="from", weight=1.0, side="right"),
        Column(title="to", weight=1.0, side="right"),
        Column(title="latency", weight=1.2, side="right"),
        Column(title="bandwidth", weight=1.2, side="right"),
    )
    rows = [
        (
            shortened(curve.name.replace("_", " "), _NAME),
            with_si_short(segment.from_bytes, "B"),
            with_si_short(segment.to_bytes, "B"),
            _term(segment.latency_s, "s"),
            _term(segment.bytes_per_s, "B/s"),
        )
        for curve in ceilings.curves
        for segment in curve.segments
    ]
    latency_s, bytes_per_s = ceilings.all_reduce_latency_s, ceilings.all_reduce_bytes_per_s
    if not rows and (latency_s is not None or bytes_per_s is not None):  # measured before there were segments
        rows.append(("all reduce, one law", "", "", _term(latency_s, "s"), _term(bytes_per_s, "B/s")))
    alt = f"Laws of messages of {ceilings.placement_label}"
    return Table(columns=columns, rows=tuple(rows), alt=alt) if rows else None


def _term(value: float | None, unit: str) -> str:
    return "not in the times" if value is None else with_si(value, unit)


def _shown(ceilings: Ceilings) -> list[Ceiling]:
    """Every curve of messages, and the first of each other kind and precision."""
    seen: set[tuple[str, str, str]] = set()
    shown = []
    for curve in ceilings.curves:
        key = (curve.name if curve.kind in _MESSAGES else str(curve.kind), curve.precision, curve.unit)
        if key not in seen:
            shown.append(curve)
        seen.add(key)
    return shown


def _ceiling_rows(curve: Ceiling) -> list[tuple[str, ...]]:
    """The best of the curve; for memory the largest working set too, which no cache holds."""
    kind = shortened(curve.name.replace("_", " "), _NAME)
    best = _best(curve)
    if curve.kind is not CeilingKind.MEMORY or best is curve.rates[-1]:
        return [_ceiling_row(curve, kind, best)]
    return [_ceiling_row(curve, "main memory", curve.rates[-1]), _ceiling_row(curve, "memory, best", best)]


def _ceiling_row(curve: Ceiling, name: str, rate: Interval) -> tuple[str, ...]:
    at = _size_words(curve, curve.sizes[curve.rates.index(rate)])
    ends = f"{_size_words(curve, curve.sizes[0])} to {_size_words(curve, curve.sizes[-1])}"
    return (
        name,
        curve.precision,
        interval_with_si(rate, curve.unit.replace("bytes", "B")),
        str(rate.count),
        "" if curve.kind is CeilingKind.LAUNCH else at,
        "one" if len(curve.sizes) == 1 else f"{ends} ({len(curve.sizes)})",
    )


def _size_words(curve: Ceiling, size: float) -> str:
    """Bytes with a prefix; counts as they are."""
    if curve.size_unit.startswith("bytes"):
        return with_si_short(size, shortened(curve.size_unit.replace("bytes", "B"), 40))
    return f"{size:.6g} {shortened(curve.size_unit, 40)}"


def _best(curve: Ceiling) -> Interval:
    """The highest rate, or the shortest time."""
    if curve.kind is CeilingKind.JITTER:  # the core that is disturbed most
        return curve.best
    return min(curve.rates, key=lambda rate: rate.value) if curve.kind in TIME_KINDS else curve.best


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
