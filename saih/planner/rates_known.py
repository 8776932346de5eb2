"""Whether a plan rests on measured ceilings or on what slow machines reach, in words."""

from collections.abc import Sequence

from saih.domain.point import Placement
from saih.planner.duration import KnownCeilings
from saih.planner.rate import ARITHMETIC_SHARE, TRANSFER_SHARE

_ASSUMED = "rates assumed: those that slow machines reach in training (`saih ceilings` measures this one's)"


def rates_words(placements: Sequence[Placement], ceilings: KnownCeilings) -> str:
    """Where the rates come from by which the times of ``placements`` are predicted."""
    known = sum(placement.seats_label in ceilings for placement in placements)
    if not known:
        return _ASSUMED
    measured = (
        f"rates from measured ceilings: {ARITHMETIC_SHARE:.0%} of the peak, "
        f"{TRANSFER_SHARE:.0%} of memory, storage and network"
    )
    if known == len(placements):
        return measured
    return f"{measured}, for {known} of {len(placements)} placements; assumed for the rest"
