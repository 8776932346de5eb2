"""How wide a prediction interval must be so that it holds its level.

Laws are wrong in more ways than their residuals tell, most of all beyond the measured range. What can be
told of that at each size is collected in ``Doubts``. Their factors are fitted to what happened: to hold-out
predictions of 181 public series of measurements, and of as much weight made-up laws with known noise.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """Everything that makes predictions uncertain, as variances of log(value), one for each size."""

    scatter: Array
    """Of a measurement around the law."""
    near: Array
    """The same inside the range, where little else is doubtful; falling to zero at twice its end."""
    coefficients: Array
    """Of the law, because it was fitted to measurements that scatter."""
    laws: Array
    """Of the library's laws around their mean (Buckland, Burnham & Augustin, Biometrics 53, 1997, 603)."""
    voices: Array
    """Of the voices of the stack around their median; zero inside the measured range."""
    chained: Array
    """Of forward chaining, times the number of typical steps beyond the measured range; zero inside."""

    def of(self, row: int) -> "Doubts":
        """Those of one law, where there are those of several, ``[law, size]``."""
        return Doubts(**{one.name: getattr(self, one.name)[row] for one in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Factors of the variances, and the degrees of freedom of Student's t that errors then have."""

    scatter: float
    near: float
    coefficients: float
    laws: float
    voices: float
    chained: float
    freedom: float


CALIBRATION = Calibration(
    scatter=0.50, near=0.25, coefficients=0.10, laws=0.13, voices=1.5, chained=0.03, freedom=3.0
)
"""``python -m benchmarks.calibration`` prints the most likely constants beside these. These are a little
narrower: steps are put together from phases whose errors are taken to add, which widens them again."""

FEW_SIZES = Calibration(
    scatter=1.0, near=0.0, coefficients=1.0, laws=1.0, voices=1.0, chained=1.0, freedom=4.0
)
"""Two or three sizes leave nothing to foresee; all doubts count in full."""


def calibrated(doubts: Doubts, calibration: Calibration = CALIBRATION) -> Array:
    """Variance of log(value) of a new measurement at each size."""
    return np.asarray(
        calibration.scatter * doubts.scatter
        + calibration.near * doubts.near
        + calibration.coefficients * doubts.coefficients
        + calibration.laws * doubts.laws
        + calibration.voices * doubts.voices
        + calibration.chained * doubts.chained
    )
