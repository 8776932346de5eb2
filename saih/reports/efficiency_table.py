"""POP efficiencies of scaling lines as one table."""

from collections.abc import Sequence

from saih.domain.efficiency import PopEfficiency
from saih.domain.quantity import share
from saih.domain.trend import ScalingLine, ScalingRung
from saih.reports.document import Column, Table
from saih.reports.label import shortened

_NAME = 60
_MOST_ROWS = 60


def efficiency_table(lines: Sequence[tuple[str, ScalingLine]]) -> Table | None:
    """One row for each rung, of very many the last of each line; None where nothing was computed."""
    has_stages = any(rung.pop and rung.pop.pipeline for _, line in lines for rung in line.rungs)
    rows = [row for name, line in lines for row in _rows(name, line, has_stages=has_stages)]
    if len(rows) > _MOST_ROWS:
        rows = [own[-1] for name, line in lines if (own := _rows(name, line, has_stages=has_stages))]
    factors = ["load balance", "communication", "serialisation", *(["pipeline"] if has_stages else [])]
    columns = (
        Column(title="line", weight=1.9),
        Column(title="ranks", weight=0.6, side="right"),
        Column(title="parallel efficiency [interval]", weight=1.7, side="right"),
        *(Column(title=one, weight=1.7, side="right") for one in (*factors, "transfer")),
        Column(title="computation scaling", weight=1.7, side="right"),
    )
    alt = "POP efficiencies of every placement"
    return Table(columns=columns, rows=tuple(rows), alt=alt) if rows else None


def _rows(name: str, line: ScalingLine, *, has_stages: bool) -> list[tuple[str, ...]]:
    title = shortened(f"{name}, {line.scaling}", _NAME)
    return [_row(title, rung, rung.pop, has_stages=has_stages) for rung in line.rungs if rung.pop]


def _row(name: str, rung: ScalingRung, found: PopEfficiency, *, has_stages: bool) -> tuple[str, ...]:
    factors = [found.parallel, found.load_balance, found.communication, found.serialisation]
    staged = "no stages" if found.pipeline is None else share(found.pipeline)
    scaling = rung.computation_scaling
    return (
        name,
        str(rung.num_ranks),
        *(share(part) for part in factors),
        *([staged] if has_stages else []),
        share(found.transfer),
        share(scaling) if scaling is not None else "not known",
    )
