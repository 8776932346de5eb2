"""A law over products of axes, as reports show it."""

from collections.abc import Mapping
from dataclasses import dataclass

from saih.domain.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceFinding:
    """One law for each part of the step over all points of one setting, whatever their sizes and ranks."""

    axes: tuple[str, ...]
    setting: str
    """What is the same at all points, in words."""
    num_points: int
    laws: Mapping[str, str]
    """Part of the step -> its law in words."""
    typical_error: float
    """Median of |log(fitted step / measured step)|."""
    corner_record_id: str
    """Of the largest point."""
    corner_measured_ns: Interval
    corner_expected_ns: Interval | None
    """At the largest point by the law of all others; None where they cannot reach it."""
    corner_refusal: str
    """Why they cannot; empty where they can."""

    @property
    def is_corner_held(self) -> bool | None:
        """Whether the largest point lies inside its interval; None where nothing was expected of it."""
        expected = self.corner_expected_ns
        if expected is None:
            return None
        return expected.low <= self.corner_measured_ns.value <= expected.high
