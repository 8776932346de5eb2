"""Many points as one line each: step, rates and verdict with their intervals, and the record behind them."""

from collections.abc import Sequence

from saih.domain.quantity import with_si
from saih.domain.trend import PointSummary
from saih.reports.document import Column, Table
from saih.reports.grid import setting_of
from saih.reports.point_cells import measured_cells, rung_cells
from saih.reports.setting import setting_names
from saih.reports.stack_figure import NumberedPoint

_NAME = 22


def compact_table(points: Sequence[NumberedPoint]) -> Table:
    """One row for each point; the columns of settings and energy only where they differ or are known."""
    names = setting_names([point.summary for point in points])
    has_setting = len(names) > 1
    has_energy = any(point.summary.energy is not None for point in points)
    columns = (
        Column(title="#", weight=0.4, side="right"),
        Column(title="data", weight=1.0),
        Column(title="model", weight=0.9),
        *((Column(title="setting", weight=1.4),) if has_setting else ()),
        Column(title="median step [interval]", weight=2.2, side="right"),
        Column(title="n", weight=0.4, side="right"),
        Column(title="samples/s", weight=0.8, side="right"),
        Column(title="FLOP/s", weight=0.8, side="right"),
        Column(title="share of peak [interval]", weight=2.4, side="right"),
        Column(title="of vendor's", weight=0.8, side="right"),
        *((Column(title="J/sample", weight=0.8, side="right"),) if has_energy else ()),
        Column(title="held back by", weight=1.2),
        Column(title="record", weight=2.6),
    )
    rows = tuple(
        (
            str(point.number),
            *rung_cells(point.summary, _NAME),
            *((names[setting_of(point.summary.point)],) if has_setting else ()),
            *_numbers(point.summary, has_energy=has_energy),
        )
        for point in points
    )
    return Table(columns=columns, rows=rows, alt="Measured points, one line each")


def _numbers(summary: PointSummary, *, has_energy: bool) -> tuple[str, ...]:
    energy = summary.energy
    known = energy.joules_per_sample if energy is not None else None
    joules = with_si(known.value, "") if known is not None else "absent"
    return (
        *measured_cells(summary),
        *((joules,) if has_energy else ()),
        str(summary.diagnosis.limit),
        summary.record_id,
    )
