"""Trends of an analysis as series, and series as CSV that ``series_csv`` reads again."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from saih.domain.interval import Interval
from saih.domain.series import ENVIRONMENT, Reading, Series, SeriesKind
from saih.domain.trend import RANKS_AXIS, Analysis, PointSummary, Trend

COLUMNS = (
    "series", "axis", "kind", "unit", "size", "repeat", "phase",
    "value", "low", "high", "level", "count", "facts",
)  # fmt: skip
UNIT = "ns"
_FORMULA = ("=", "@", "+", "-", "\t", "\r")
"""What a spreadsheet would run at the beginning of a cell."""


def series_of_analysis(analysis: Analysis) -> tuple[Series, ...]:
    """Every trend as a series: medians of the step and of its phases with their intervals [ns]."""
    points = {point.record_id: point for point in analysis.points}
    scalings = {frozenset(rung.record_id for rung in line.rungs): line.scaling for line in analysis.scaling}
    found = []
    for trend in analysis.trends:
        own = [points[record_id] for record_id in trend.record_ids if record_id in points]
        scaling = scalings.get(frozenset(trend.record_ids)) if trend.axis == RANKS_AXIS else None
        found.append(_series(analysis, trend, own, _kind(trend, scaling)))
    return tuple(found)


def rows_of(series: Sequence[Series]) -> Iterator[Mapping[str, str | float | int | None]]:
    """The rows of ``COLUMNS`` that say all of these series."""
    for one in series:
        for phase, readings in {"": one.whole, **one.phases}.items():
            for reading in readings:
                yield _row(one, phase, reading)


def csv_lines(series: Sequence[Series]) -> Iterator[str]:
    """The lines of a CSV file, header first."""
    yield _line(COLUMNS)
    for row in rows_of(series):
        yield _line(["" if value is None else value for value in row.values()])


def csv_line(cells: Sequence[str | float | int]) -> str:
    """One line of CSV; texts that a spreadsheet would run get an apostrophe before them."""
    return _line([_inert(cell) if isinstance(cell, str) else cell for cell in cells])


def _series(analysis: Analysis, trend: Trend, points: Sequence[PointSummary], kind: SeriesKind) -> Series:
    facts = {ENVIRONMENT: analysis.environment.environment_id}
    sizes = trend.sizes
    phases = [phase for phase in points[0].phases_ns if all(phase in point.phases_ns for point in points)]
    return Series(
        name=f"{trend.axis} at {trend.fixed}",
        source=analysis.sweep_name,
        axis=trend.axis,
        size_label=trend.size_label,
        kind=kind,
        unit=UNIT,
        whole=tuple(
            _reading(size, point.step_ns, point, facts) for size, point in zip(sizes, points, strict=True)
        ),
        phases={
            str(phase): tuple(
                _reading(size, point.phases_ns[phase], point, facts)
                for size, point in zip(sizes, points, strict=True)
            )
            for phase in phases
        },
        facts=facts,
    )


def _kind(trend: Trend, scaling: str | None) -> SeriesKind:
    if trend.axis != RANKS_AXIS:
        return SeriesKind.SIZE
    return SeriesKind.STRONG if scaling == "strong" else SeriesKind.WEAK


def _reading(size: float, interval: Interval, point: PointSummary, facts: Mapping[str, str]) -> Reading:
    return Reading(
        size=size,
        value=interval.value,
        written=repr(interval.value),
        place=point.record_id,
        spread=interval,
        facts={**facts, **_executed(point)},
    )


def _executed(point: PointSummary) -> dict[str, str]:
    """How a point was executed that was not executed plainly."""
    if point.point.execution.is_plain:
        return {}
    return {"execution": point.point.execution.label, "settings": point.execution.found_words}


def _row(series: Series, phase: str, reading: Reading) -> Mapping[str, str | float | int | None]:
    spread = reading.spread
    return {
        "series": _inert(series.name),
        "axis": _inert(series.axis),
        "kind": str(series.kind),
        "unit": series.unit,
        "size": reading.size,
        "repeat": _inert(reading.place),
        "phase": _inert(phase),
        "value": reading.value,
        "low": spread.low if spread else None,
        "high": spread.high if spread else None,
        "level": spread.level if spread else None,
        "count": spread.count if spread else None,
        "facts": "; ".join(f"{name}={value}" for name, value in reading.facts.items()),
    }


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _line(cells: Sequence[str | float | int]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
