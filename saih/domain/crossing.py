"""Where along an axis one part of the step overtakes another."""

from dataclasses import dataclass

from saih.domain.interval import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The size from which on another part of the step is the longest."""

    before: str
    """The longest part below, in the words of limits, such as ``compute``."""
    after: str
    """The longest part above."""
    size: Interval
    """In the unit of the trend's sizes. It is cut where numbers end; ``is_open_below`` and ``is_open_above``
    say on which side."""
    is_extrapolated: bool
    """Its value lies beyond the largest measured size."""
    is_open_below: bool
    """It may lie below the smallest measured size."""
    is_open_above: bool
    """It may lie beyond the largest size at which a number is given, or nowhere."""
    statement: str
    """One sentence with its sizes."""
