"""Measured ceilings as a table."""

from saih.commands.table import table
from saih.domain.ceiling import Ceiling, Ceilings, LatencySegment, contended_cores
from saih.domain.quantity import interval_with_si, with_si


def ceilings_text(ceilings: Ceilings) -> str:
    """Every curve at every size, the laws of messages, and why others are absent."""
    rows = [row for curve in ceilings.curves for row in _rows(curve)]
    parts = [f"{ceilings.placement_label}, measured {ceilings.measured_utc}"]
    parts += [table(("ceiling", "precision", "size", "median with 95 % interval", "n"), rows)]
    for precision, rate in ceilings.vendor_flops_per_s.items():
        parts.append(f"by its data sheet: {with_si(rate, 'FLOP/s')} in {precision}")
    laws = [(curve.name, *_law(segment)) for curve in ceilings.curves for segment in curve.segments]
    if laws:
        parts.append(table(("messages", "from", "to", "latency", "bandwidth"), laws))
    if contended := contended_cores(ceilings):
        parts.append(
            f"contended cores: {', '.join(map(str, contended))} (others use them, or they are slower)"
        )
    parts += [f"absent: {name}: {reason}" for name, reason in ceilings.absent.items()]
    parts += [f"before: measured {old.measured_utc}, {old.reason}" for old in ceilings.superseded]
    return "\n".join(parts)


def _rows(curve: Ceiling) -> list[tuple[str, ...]]:
    return [
        (
            curve.name,
            curve.precision,
            f"{size:g} {curve.size_unit}",
            interval_with_si(rate, curve.unit),
            str(rate.count),
        )
        for size, rate in zip(curve.sizes, curve.rates, strict=True)
    ]


def _law(segment: LatencySegment) -> tuple[str, ...]:
    return (
        f"{segment.from_bytes:g} B",
        f"{segment.to_bytes:g} B",
        "not in the times" if segment.latency_s is None else with_si(segment.latency_s, "s"),
        "not in the times" if segment.bytes_per_s is None else with_si(segment.bytes_per_s, "B/s"),
    )
