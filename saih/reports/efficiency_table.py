"""POP efficiencies of scaling lines as one table."""

from collections.abc import Sequence

from saih.domain.quantity import share
from saih.domain.trend import ScalingLine, ScalingRung
from saih.reports.document import Column, Table
from saih.reports.label import shortened

_NAME = 60
_MOST_ROWS = 60


def efficiency_table(lines: Sequence[tuple[str, ScalingLine]]) -> Table | None:
    """One row for each rung, of very many the last of each line; None where nothing was computed."""
    rows = [row for name, line in lines for row in _rows(name, line)]
    if len(rows) > _MOST_ROWS:
        rows = [own[-1] for name, line in lines if (own := _rows(name, line))]
    columns = (
        Column(title="line", weight=1.9),
        Column(title="ranks", weight=0.6, side="right"),
        Column(title="parallel efficiency [interval]", weight=1.7, side="right"),
        Column(title="load balance", weight=1.7, side="right"),
        Column(title="communication", weight=1.7, side="right"),
        Column(title="serialisation", weight=1.7, side="right"),
        Column(title="transfer", weight=1.7, side="right"),
        Column(title="computation scaling", weight=1.7, side="right"),
    )
    alt = "POP efficiencies of every placement"
    return Table(columns=columns, rows=tuple(rows), alt=alt) if rows else None


def _rows(name: str, line: ScalingLine) -> list[tuple[str, ...]]:
    return [_row(shortened(f"{name}, {line.scaling}", _NAME), rung) for rung in line.rungs if rung.pop]


def _row(name: str, rung: ScalingRung) -> tuple[str, ...]:
    found = rung.pop
    parts = () if found is None else (
        found.parallel, found.load_balance, found.communication, found.serialisation, found.transfer
    )  # fmt: skip
    scaling = rung.computation_scaling
    return (
        name,
        str(rung.num_ranks),
        *(share(part) for part in parts),
        share(scaling) if scaling is not None else "not known",
    )
