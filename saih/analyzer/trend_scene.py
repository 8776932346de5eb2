"""What the checks of a trend look at."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from saih.analyzer.fit import Law, Prediction
from saih.analyzer.forecast import Forecast
from saih.analyzer.recombination import PROBLEM_GROWS, Composition, Family
from saih.domain.ceiling import Ceilings
from saih.domain.crossing import Crossing
from saih.domain.quantity import amount, counted
from saih.domain.scaling import Scaling
from saih.domain.trend import CurvePoint, PointSummary

TARGET_FACTOR = 2.0
"""How far beyond the largest measured size the curves are drawn and the laws are held to account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Laws:
    """What was fitted to the points of a trend, and what it foresees."""

    total: Law
    composition: Composition
    forecast: Forecast
    expected: Prediction | None = None
    """The step at the largest size, as the smaller points foresee it; None where they do not reach it."""
    crossings: Sequence[Crossing] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The points of one trend by growing size, and the laws that were fitted to them."""

    points: Sequence[PointSummary]
    sizes: Sequence[float]
    laws: Laws | None
    share_curve: Sequence[CurvePoint]
    family: Family = PROBLEM_GROWS
    scaling: Scaling | None = None
    """What stays along the axis of ranks; None on axes along which the problem grows."""
    greatest: float = math.inf
    """Largest size that can exist."""
    ceilings: Ceilings | None = None
    """Of the largest point's placement."""
    memory_bytes: float | None = None
    """Room for the tensors of one rank; None where the machine does not tell."""

    @property
    def target(self) -> float:
        """Size up to which the laws are held to account."""
        return target_of(self.sizes[-1], self.greatest)

    def at(self, size: float) -> str:
        """``size 4.1 k``, or ``4096 ranks``."""
        return f"size {amount(size)}" if self.scaling is None else counted(round(size), "rank")


def target_of(largest: float, greatest: float) -> float:
    """The end of a curve over sizes of which none beyond ``greatest`` can exist."""
    return max(min(TARGET_FACTOR * largest, greatest), largest)
