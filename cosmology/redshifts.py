"""Which redshifts the channels of a data set show when only their number is given: a nested order.

The first four are the reference's. Each next one halves the widest gap in scale factor that is left between
today and redshift 3 (of equal gaps the latest), so that any leading part covers the history evenly, and more
channels keep the ones before.
"""

from fractions import Fraction
from itertools import pairwise

MAX_CHANNELS = 16

_REFERENCE = (Fraction(0), Fraction(1, 2), Fraction(3, 2), Fraction(3))


def _nested_order() -> tuple[float, ...]:
    """The reference's redshifts and the others; in fractions, so that equal gaps are equal."""
    scale_factors = [1 / (1 + redshift) for redshift in _REFERENCE]
    while len(scale_factors) < MAX_CHANNELS:
        ladder = sorted(scale_factors)
        gaps = pairwise(ladder)
        begin, end = max(gaps, key=lambda gap: (gap[1] - gap[0], gap[1]))
        scale_factors.append((begin + end) / 2)
    return tuple(float(1 / scale_factor - 1) for scale_factor in scale_factors)


REDSHIFT_ORDER = _nested_order()
"""Redshift of each channel, first channel first, of a data set that states only how many it has."""
REDSHIFTS = REDSHIFT_ORDER[: len(_REFERENCE)]
"""The reference's four: 0, 0.5, 1.5 and 3."""
_RUNS = (4, 8, MAX_CHANNELS)


def simulated_redshifts(redshifts: tuple[float, ...]) -> tuple[float, ...]:
    """The outputs of the run behind a data set of these redshifts, its own first.

    Leading parts of the nested order share runs of 4, 8 or 16 outputs, whose first channels they are. Steps
    end at outputs, so that runs of other lists differ in their last digits.
    """
    for num_outputs in _RUNS:
        if redshifts == REDSHIFT_ORDER[: min(num_outputs, len(redshifts))]:
            return REDSHIFT_ORDER[:num_outputs]
    return redshifts
