"""Scaling lines as one table, for the report and for the terminal."""

from collections.abc import Sequence

from saih.domain.quantity import NO_BREAK, duration, factor, in_seconds, percent, share, with_si
from saih.domain.trend import ScalingLine, ScalingRung
from saih.reports.document import Column, Table
from saih.reports.label import shortened

_NAME = 60


def scaling_table(lines: Sequence[tuple[str, ScalingLine]]) -> Table:
    """One row for each rung of each named line."""
    columns = (
        Column(title="line", weight=1.9),
        Column(title="ranks", weight=0.6, side="right"),
        Column(title="placement", weight=1.75),
        Column(title="batch", weight=0.6, side="right"),
        Column(title="median step [interval]", weight=1.9, side="right"),
        Column(title="n", weight=0.4, side="right"),
        Column(title="samples/s", weight=1.0, side="right"),
        Column(title="speed-up [interval]", weight=1.6, side="right"),
        Column(title="efficiency [interval]", weight=1.75, side="right"),
        Column(title="share of peak", weight=0.9, side="right"),
        Column(title="exposed exchange", weight=1.0, side="right"),
        Column(title="all exchange", weight=0.9, side="right"),
        Column(title="slowest / mean rank", weight=0.9, side="right"),
        Column(title="held back by", weight=1.2),
    )
    rows = tuple(row for name, line in lines for row in _rows(name, line))
    return Table(columns=columns, rows=rows, alt="Speed-up and efficiency of every placement")


def line_table(lines: Sequence[tuple[str, ScalingLine]]) -> Table:
    """One row for each named line: what its most ranks bring over its fewest."""
    columns = (
        Column(title="line", weight=2.2),
        Column(title="ranks", weight=0.8, side="right"),
        Column(title="median step at most ranks [interval]", weight=2.2, side="right"),
        Column(title="n", weight=0.4, side="right"),
        Column(title="samples/s at fewest", weight=1.0, side="right"),
        Column(title="at most", weight=1.0, side="right"),
        Column(title="speed-up [interval]", weight=1.8, side="right"),
        Column(title="efficiency [interval]", weight=2.0, side="right"),
        Column(title="exposed exchange at most ranks", weight=1.2, side="right"),
        Column(title="slowest / mean rank", weight=0.9, side="right"),
        Column(title="rises most", weight=1.2),
    )
    rows = tuple(_line_row(name, line) for name, line in lines)
    return Table(columns=columns, rows=rows, alt="Speed-up and efficiency of every line at its most ranks")


def _line_row(name: str, line: ScalingLine) -> tuple[str, ...]:
    first, last = line.rungs[0], line.rungs[-1]
    has_more = len(line.rungs) > 1
    return (
        shortened(f"{name}, {line.scaling}", _NAME),
        f"{first.num_ranks} to {last.num_ranks}" if has_more else str(first.num_ranks),
        duration(last.step_ns),
        str(last.step_ns.count),
        with_si(first.samples_per_s.value, ""),
        with_si(last.samples_per_s.value, ""),
        factor(last.speedup) if has_more else "one rung",
        share(last.efficiency) if has_more else "one rung",
        exposed_words(last),
        imbalance_words(last),
        str(line.rising) if line.rising else "none surely",
    )


def _rows(name: str, line: ScalingLine) -> list[tuple[str, ...]]:
    """The first row of a line names it; the others belong to the same line."""
    return [
        (
            shortened(f"{name}, {line.scaling}", _NAME) if number == 0 else "",
            str(rung.num_ranks),
            shortened(rung.placement_label, _NAME),
            str(rung.batch_per_rank),
            duration(rung.step_ns),
            str(rung.step_ns.count),
            with_si(rung.samples_per_s.value, ""),
            factor(rung.speedup) if number else "1 (base)",
            share(rung.efficiency) if number else f"100{NO_BREAK}% (base)",
            percent(rung.share_of_peak.value) if rung.share_of_peak else "no ceiling",
            exposed_words(rung),
            exchange_words(rung),
            imbalance_words(rung),
            str(rung.limit),
        )
        for number, rung in enumerate(line.rungs)
    ]


def exposed_words(rung: ScalingRung) -> str:
    """Exposed communication as a share of the step."""
    return percent(rung.exposed_share.value) if rung.exposed_ns.value > 0 else "none"


def exchange_words(rung: ScalingRung) -> str:
    """All communication of a step."""
    if rung.communication_ns is None:
        return "not recorded"
    return in_seconds(rung.communication_ns.value) if rung.communication_ns.value > 0 else "none"


def imbalance_words(rung: ScalingRung) -> str:
    """Work of the slowest rank over the mean of all."""
    return f"{rung.balance.imbalance:.2f}" if rung.balance is not None else "one rank"
