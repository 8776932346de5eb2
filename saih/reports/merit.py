"""What points reach: their share of the measured peak, or their rate, and from where to where it goes."""

from collections.abc import Sequence

from saih.domain.quantity import percent, with_si
from saih.domain.trend import PointSummary
from saih.reports.label import shortened

_NAME = 24


def range_words(points: Sequence[PointSummary]) -> str:
    """The headline, such as ``4.1 % → 38 %``; rates where no ceiling was measured."""
    return ", ".join(f"{label} {words}".lstrip() for label, words in ranges(points))


def ranges(points: Sequence[PointSummary]) -> tuple[tuple[str, str], ...]:
    """Executions with their ranges in words: one does not become another by growing.

    Of several those that go lowest and highest, in this order; of one no name.
    """
    groups: dict[str, list[PointSummary]] = {}
    for point in points:
        groups.setdefault(point.point.execution.label, []).append(point)
    if len(groups) < 2:
        return (("", _range(points)),)
    ordered = sorted(groups, key=lambda label: max(map(_merit, groups[label])))
    return tuple((shortened(label, _NAME), _range(groups[label])) for label in (ordered[0], ordered[-1]))


def extremes(points: Sequence[PointSummary]) -> tuple[PointSummary, PointSummary] | None:
    """The points of lowest and highest share of peak; by rate where no ceiling was measured."""
    if not points:
        return None
    ordered = sorted(points, key=_merit)
    known = [point for point in ordered if point.share_of_peak is not None] or ordered
    return known[0], known[-1]


def _range(points: Sequence[PointSummary]) -> str:
    ends = extremes(points)
    if ends is None:
        return "no point measured"
    low, high = (_brief(point) for point in ends)
    is_above = any(point.share_of_peak is not None and point.share_of_peak.low > 1 for point in ends)
    return (low if len(points) == 1 else f"{low} → {high}") + ", above the ceiling" * is_above


def _merit(point: PointSummary) -> float:
    return point.share_of_peak.value if point.share_of_peak is not None else point.flops_per_s.value


def _brief(point: PointSummary) -> str:
    if point.share_of_peak is not None:
        return percent(point.share_of_peak.value)
    return with_si(point.flops_per_s.value, "FLOP/s", 2)
