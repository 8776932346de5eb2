"""The lines of trend figures, made from trends and the points that they join."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from saih.domain.interval import Interval
from saih.domain.trend import EXECUTION_LABEL, RANKS_AXIS, CurvePoint, PointSummary, Trend
from saih.reports.trend_figure import Line, Ordinate

ByRecord = Mapping[str, PointSummary]


def trend_lines(
    trends: Sequence[Trend], points: ByRecord, ordinate: Ordinate, peak: Interval | None
) -> tuple[Line, ...]:
    """One line for each trend that has a value: [%], [FLOP/s] or [s]; ``peak`` is that of all of them."""
    made = (_line(trend, points, ordinate, peak) for trend in trends)
    return tuple(line for line in made if line.values)


def line_label(trend: Trend, points: ByRecord) -> str:
    """The rungs of the other axes of the problem; ranks and executions belong to the setting in the title."""
    first = points.get(trend.record_ids[0]) if trend.record_ids else None
    labels = first.labels.items() if first is not None else ()
    others = [
        label for axis, label in sorted(labels) if axis not in (trend.axis, RANKS_AXIS, EXECUTION_LABEL)
    ]
    return ", ".join(others) or trend.fixed


def _line(trend: Trend, points: ByRecord, ordinate: Ordinate, peak: Interval | None) -> Line:
    known = [
        (size, value, record_id)
        for size, value, record_id in zip(
            trend.sizes, _values(trend, points, ordinate), trend.record_ids, strict=True
        )
        if value is not None
    ]
    verdicts = [points[record_id].diagnosis.limit if record_id in points else None for *_, record_id in known]
    return Line(
        label=line_label(trend, points),
        sizes=tuple(size for size, _, _ in known),
        values=tuple(value for _, value, _ in known),
        curve=_curve(trend, ordinate, peak),
        turns=tuple(number for number, (old, new) in enumerate(pairwise(verdicts)) if old is not new),
    )


def _values(trend: Trend, points: ByRecord, ordinate: Ordinate) -> list[Interval | None]:
    if ordinate == "step":
        return [step.scaled(1e-9) for step in trend.step_ns]
    if ordinate == "share":
        return [share.scaled(100.0) if share is not None else None for share in trend.share_of_peak]
    found = [points.get(record_id) for record_id in trend.record_ids]
    return [point.flops_per_s if point is not None else None for point in found]


def _curve(trend: Trend, ordinate: Ordinate, peak: Interval | None) -> tuple[CurvePoint, ...]:
    """The rate's curve is the share's, times the measured peak that the share is of."""
    if ordinate == "step":
        return _scaled(trend.step_curve, 1e-9)
    if ordinate == "share":
        return _scaled(trend.share_curve, 100.0)
    return _scaled(trend.share_curve, peak.value) if peak is not None else ()


def _scaled(curve: Sequence[CurvePoint], factor: float) -> tuple[CurvePoint, ...]:
    return tuple(
        CurvePoint(
            size=point.size, interval=point.interval.scaled(factor), is_extrapolated=point.is_extrapolated
        )
        for point in curve
    )
