"""How the rates of two systems grow along an axis, and whether they grow alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saih.analyzer.comparison_ratio import LEVEL, p_value, reach
from saih.domain.interval import Interval

Array = NDArray[np.float64]

FEWEST_SIZES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """Exponent of a power law through points in log-log, with its standard deviation."""

    exponent: float
    deviation: float
    freedom: float
    count: int

    @property
    def p_value(self) -> float:
        """Of an exponent of zero."""
        return p_value(self.exponent, self.deviation, self.freedom)

    @property
    def interval(self) -> Interval:
        """The exponent with its interval."""
        half = reach(self.deviation, self.freedom)
        return Interval(
            low=self.exponent - half,
            value=self.exponent,
            high=self.exponent + half,
            level=LEVEL,
            count=self.count,
        )


def slope(sizes: Sequence[float], logs: Array, variances: Array, freedom: float) -> Slope | None:
    """The exponent by weighted least squares; None for fewer than ``FEWEST_SIZES``.

    ``variances`` [log^2] are those of the points, known with ``freedom``. Where the points lie farther from a
    straight line than these tell, the line is not the whole truth and its deviation grows by as much.
    """
    if len(sizes) < FEWEST_SIZES:
        return None
    x = np.log(np.asarray(sizes, dtype=np.float64))
    weights = 1 / variances
    centred = x - np.average(x, weights=weights)
    steepness = float(np.sum(weights * centred**2))
    mean = np.average(logs, weights=weights)
    exponent = float(np.sum(weights * centred * (logs - mean)) / steepness)
    squares = float(np.sum(weights * (logs - mean - exponent * centred) ** 2))
    spare = len(sizes) - 2
    inflation = max(squares / spare, 1.0)
    return Slope(
        exponent=exponent,
        deviation=math.sqrt(inflation / steepness),
        freedom=freedom if inflation == 1.0 else min(freedom, spare),
        count=len(sizes),
    )
