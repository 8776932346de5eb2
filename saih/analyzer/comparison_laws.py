"""The laws of two systems along one axis, and how far their points lie from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.comparison_course import Course
from saih.analyzer.comparison_matching import Match
from saih.analyzer.comparison_noise import Scatter, typical_rate
from saih.analyzer.fit import Law, fit_law, predict

Array = NDArray[np.float64]

_FEWEST_FOR_SCATTER = 4
"""From so few sizes on, a law is judged by what it foresees and not by what it was fitted to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laws:
    """Laws of the time per sample [ns] of A and B, or of the rank-time where that falls along the axis."""

    a: Law
    b: Law
    turn: float
    """Power of the size by which the times per sample are multiplied, so that they grow."""

    def log_ratio(self, sizes: Array) -> Array:
        """Log of the rate of A over that of B."""
        return np.asarray(predict(self.b, sizes).log_value - predict(self.a, sizes).log_value)


def fit_laws(sizes: Sequence[float], matches: Sequence[Match], noise: float) -> Laws | None:
    """The laws of both sides of these matches; None where there are too few sizes."""
    logs = [
        np.array([-typical_rate(side) for side in sides])
        for sides in ([match.a for match in matches], [match.b for match in matches])
    ]
    turn = 1.0 if any(log[-1] < log[0] for log in logs) else 0.0
    along = np.asarray(sizes, dtype=np.float64)
    laws = [fit_law(sizes, (np.exp(log) * along**turn * 1e9).tolist(), noise) for log in logs]
    return Laws(a=laws[0], b=laws[1], turn=turn) if laws[0] and laws[1] else None


def law_scatter(courses: Sequence[Course], matched: Sequence[Match]) -> Scatter | None:
    """Residuals of both systems around their laws along the axis with the longest courses."""
    longest = max(courses, key=lambda course: len(course.sizes), default=None)
    if longest is None or len(longest.sizes) < _FEWEST_FOR_SCATTER:
        return None
    found = [
        law
        for course in courses
        if course.axis == longest.axis and len(course.sizes) >= _FEWEST_FOR_SCATTER
        for law in _both(course, matched)
    ]
    squares = sum(float(np.sum(_residuals(law) ** 2)) for law in found)
    freedom = sum(max(len(law.sizes) - law.members[0].num_parameters, 0) for law in found)
    return Scatter(squares=squares, freedom=float(freedom)) if freedom else None


def _both(course: Course, matched: Sequence[Match]) -> tuple[Law, ...]:
    laws = fit_laws(course.sizes, [matched[place] for place in course.places], 0.0)
    return (laws.a, laws.b) if laws is not None else ()


def _residuals(law: Law) -> Array:
    return np.asarray(np.log(law.values) - predict(law, law.sizes).log_value)
