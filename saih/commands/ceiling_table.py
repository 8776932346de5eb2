"""Measured ceilings as a table."""

from saih.commands.table import table
from saih.domain.ceiling import Ceiling, Ceilings
from saih.domain.interval import Interval
from saih.domain.quantity import interval_with_si, with_si


def ceilings_text(ceilings: Ceilings) -> str:
    """Every curve: its best rate, where that is reached, and over which sizes it was measured."""
    rows = [row for curve in ceilings.curves for row in _rows(curve)]
    parts = [f"{ceilings.placement_label}, measured {ceilings.measured_utc}"]
    parts += [table(("ceiling", "precision", "size", "median with 95 % interval"), rows)]
    for precision, rate in ceilings.vendor_flops_per_s.items():
        parts.append(f"by its data sheet: {with_si(rate, 'FLOP/s')} in {precision}")
    if ceilings.all_reduce_latency_s is not None and ceilings.all_reduce_bytes_per_s is not None:
        latency, rate = ceilings.all_reduce_latency_s, ceilings.all_reduce_bytes_per_s
        parts.append(f"all-reduce: {with_si(latency, 's')} + bytes / ({with_si(rate, 'B/s')})")
    return "\n".join(parts)


def _rows(curve: Ceiling) -> list[tuple[str, str, str, str]]:
    return [
        (str(curve.kind), curve.precision, f"{size:g} {curve.size_unit}", _rate(curve, rate))
        for size, rate in zip(curve.sizes, curve.rates, strict=True)
    ]


def _rate(curve: Ceiling, rate: Interval) -> str:
    return interval_with_si(rate, curve.unit)
