"""What plain methods foresee beside our laws."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerForecast:
    """What a plain method foresees beside our law, at the end of a trend's curve."""

    name: str
    """Such as ``power law``."""
    size: float
    value_ns: float
    chained_error: float | None
    """Root mean square of log(foreseen/measured) when each larger point was foreseen from the smaller ones;
    None where the points are too few for that."""
