"""Lines of the trend explorer: along each axis the points that differ in it alone, with their laws."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from saih.domain.trend import RANKS_AXIS, Analysis, CurvePoint, PointSummary, ScalingLine, Trend
from saih.reports.grid import setting_of
from saih.reports.words import line_name, line_words

_SIZE_LABELS = {"data": "data size", "model": "model size", RANKS_AXIS: "ranks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Points along one axis, by growing size."""

    axis: str
    size_label: str
    name: str
    record_ids: tuple[str, ...]
    sizes: tuple[float, ...]
    share_curve: tuple[CurvePoint, ...]
    step_curve: tuple[CurvePoint, ...]
    energy_curve: tuple[CurvePoint, ...] = ()


def lines_of(analysis: Analysis) -> tuple[Line, ...]:
    """All trends, the scaling lines that no trend shows, and single points along the axes of the problem."""
    lines = [_from_trend(trend, analysis) for trend in analysis.trends if trend.record_ids]
    if not any(line.axis == RANKS_AXIS for line in lines):
        lines += [_from_scaling(line, analysis) for line in analysis.scaling]
    lines += tuple(_single(analysis, lines))
    return tuple(sorted(_told_apart(lines, analysis), key=lambda line: line.axis))


def _told_apart(lines: Sequence[Line], analysis: Analysis) -> Iterator[Line]:
    """Lines of one name along one axis differ in their setting, which then is a part of the name."""
    settings = {point.record_id: setting_of(point.point) for point in analysis.points}
    counts = Counter((line.axis, line.name) for line in lines)
    for line in lines:
        if counts[line.axis, line.name] == 1 or line.record_ids[0] not in settings:
            yield line
        else:
            yield replace(line, name=f"{line.name}, {settings[line.record_ids[0]]}")


def _from_trend(trend: Trend, analysis: Analysis) -> Line:
    return Line(
        axis=trend.axis,
        size_label=trend.size_label,
        name=line_name(trend, analysis.points),
        record_ids=trend.record_ids,
        sizes=trend.sizes,
        share_curve=trend.share_curve,
        step_curve=trend.step_curve,
        energy_curve=_energy_curve(trend, analysis),
    )


def _energy_curve(trend: Trend, analysis: Analysis) -> tuple[CurvePoint, ...]:
    """Of the trend of the energy over the same points, or those of them that have one."""
    for other in analysis.energy_trends:
        if other.axis == trend.axis and set(other.record_ids) <= set(trend.record_ids):
            return other.curve
    return ()


def _from_scaling(line: ScalingLine, analysis: Analysis) -> Line:
    return Line(
        axis=RANKS_AXIS,
        size_label="ranks",
        name=line_words(line, analysis),
        record_ids=tuple(rung.record_id for rung in line.rungs),
        sizes=tuple(float(rung.num_ranks) for rung in line.rungs),
        share_curve=(),
        step_curve=(),
    )


def _single(analysis: Analysis, lines: Sequence[Line]) -> Iterator[Line]:
    """Points that no line along an axis holds, so that none is missing from the explorer."""
    labels = {line.axis: line.size_label for line in lines}
    for axis in sorted({axis for point in analysis.points for axis in point.axis_sizes}):
        held = {record_id for line in lines if line.axis == axis for record_id in line.record_ids}
        for point in analysis.points:
            if axis in point.axis_sizes and point.record_id not in held:
                yield _alone(point, axis, labels.get(axis, _SIZE_LABELS.get(axis, axis)))


def _alone(point: PointSummary, axis: str, size_label: str) -> Line:
    others = [label for name, label in sorted(point.labels.items()) if name != axis]
    return Line(
        axis=axis,
        size_label=size_label,
        name=", ".join(others) or point.point.placement.label,
        record_ids=(point.record_id,),
        sizes=(point.axis_sizes[axis],),
        share_curve=(),
        step_curve=(),
    )
