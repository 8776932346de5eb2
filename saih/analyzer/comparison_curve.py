"""The ratio of two systems along one axis: through its points, as a smooth law, and where it crosses one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.comparison_course import Course
from saih.analyzer.comparison_laws import Laws, fit_laws
from saih.analyzer.comparison_matching import Match
from saih.analyzer.comparison_ratio import LEVEL, LogRatio, quantile
from saih.analyzer.crossing import Band, passings
from saih.analyzer.fit import Law, Prediction, describe, intervals, predict
from saih.domain.comparison import Crossing, ExponentPair, RatioCurve, RatioPoint
from saih.domain.quantity import with_si
from saih.domain.trend import CurvePoint

Array = NDArray[np.float64]

_POINTS_ALONG = 33
_BEYOND = 2.0
"""Times the largest size to which the smooth ratio is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A course with the matches, ratios and decisions of its places, by growing size."""

    course: Course
    matches: tuple[Match, ...]
    ratios: tuple[LogRatio, ...]
    is_different: tuple[bool, ...]
    names: tuple[str, str]

    @property
    def logs(self) -> Array:
        """Log of each ratio."""
        return np.array([ratio.value for ratio in self.ratios])

    @property
    def variances(self) -> Array:
        """Of each log ratio by itself."""
        return np.array([ratio.measuring + ratio.own for ratio in self.ratios])

    @property
    def shared(self) -> float:
        """Variance that all log ratios have in common: that of the point with the fewest runs."""
        return max(ratio.shared for ratio in self.ratios)


def ratio_curve(measured: Measured, exponents: ExponentPair | None) -> RatioCurve:
    """The curve of one course; ``exponents`` are decided together with everything else."""
    course = measured.course
    laws = fit_laws(course.sizes, measured.matches, float(np.sqrt(np.median(measured.variances) / 2)))
    labels = [_label(match, course.axis, size) for match, size in _by_size(measured)]
    return RatioCurve(
        axis=course.axis,
        size_label=course.size_label,
        fixed=course.fixed,
        points=tuple(
            RatioPoint(
                size=size,
                label=label,
                ratio=ratio.interval,
                is_different=different,
                records_a=tuple(point.record_id for point in match.a),
                records_b=tuple(point.record_id for point in match.b),
            )
            for size, label, ratio, different, match in zip(
                course.sizes, labels, measured.ratios, measured.is_different, measured.matches, strict=True
            )
        ),
        law=_law_curve(measured, laws) if laws else (),
        law_a=_law_text(laws, laws.a) if laws else "",
        law_b=_law_text(laws, laws.b) if laws else "",
        crossings=_crossings(measured, laws, labels),
        exponents=exponents,
    )


def _by_size(measured: Measured) -> list[tuple[Match, float]]:
    return list(zip(measured.matches, measured.course.sizes, strict=True))


def _label(match: Match, axis: str, size: float) -> str:
    return match.a[0].labels.get(axis) or f"{with_si(size, '')} {axis}"


def _law_curve(measured: Measured, laws: Laws) -> tuple[CurvePoint, ...]:
    sizes = np.asarray(measured.course.sizes)
    inside = np.geomspace(sizes[0], sizes[-1], _POINTS_ALONG)
    grid = np.unique(np.concatenate([inside, np.geomspace(sizes[-1], _BEYOND * sizes[-1], 5), sizes]))
    a, b = predict(laws.a, grid), predict(laws.b, grid)
    prediction = Prediction(
        log_value=b.log_value - a.log_value,
        log_deviation=np.sqrt(a.log_deviation**2 + b.log_deviation**2 + measured.shared),
        freedom=min(a.freedom, b.freedom),
    )
    return tuple(
        CurvePoint(size=float(size), interval=interval, is_extrapolated=bool(size > sizes[-1] * (1 + 1e-9)))
        for size, interval in zip(grid, intervals(prediction, len(sizes), LEVEL), strict=True)
    )


def _law_text(laws: Laws, law: Law) -> str:
    quantity = "rank-time per sample" if laws.turn else "time per sample"
    return f"{quantity} = {describe(law, None).text}"


def _band(measured: Measured, laws: Laws | None) -> Band:
    """Straight lines in log-log between the points, bent as the laws bend; half of the bend is doubted."""
    known = np.log(np.asarray(measured.course.sizes))
    logs, variances = measured.logs, measured.variances
    width = quantile(min(ratio.total_freedom for ratio in measured.ratios))
    at_points = laws.log_ratio(np.exp(known)) if laws else np.zeros_like(known)

    def band(sizes: Array) -> tuple[Array, Array]:
        at = np.clip(np.log(sizes), known[0], known[-1])
        left = np.clip(np.searchsorted(known, at, side="right") - 1, 0, len(known) - 2)
        part = (at - known[left]) / (known[left + 1] - known[left])
        straight = (1 - part) * logs[left] + part * logs[left + 1]
        chord = (1 - part) * at_points[left] + part * at_points[left + 1]
        bend = laws.log_ratio(np.exp(at)) - chord if laws else np.zeros_like(at)
        variance = (1 - part) ** 2 * variances[left] + part**2 * variances[left + 1]
        return straight + bend, width * np.sqrt(variance + measured.shared + (bend / 2) ** 2)

    return band


def _crossings(measured: Measured, laws: Laws | None, labels: Sequence[str]) -> tuple[Crossing, ...]:
    signs = [
        int(math.copysign(1, ratio.value)) if different else 0
        for ratio, different in zip(measured.ratios, measured.is_different, strict=True)
    ]
    name_a, name_b = measured.names
    return tuple(
        Crossing(
            size=found.size,
            faster_below=name_b if found.rises else name_a,
            faster_above=name_a if found.rises else name_b,
            below_label=labels[found.place_below],
            above_label=labels[found.place_above],
        )
        for found in passings(measured.course.sizes, signs, _band(measured, laws))
    )
