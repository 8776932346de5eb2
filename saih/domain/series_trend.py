"""How a series that others measured moves along its axis."""

from dataclasses import dataclass

from saih.domain.interval import Interval
from saih.domain.peer import PeerForecast
from saih.domain.series import Series
from saih.domain.trend import Check, CurvePoint, Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPoint:
    """The usable readings of one size: their median, and how many separate runs it rests on."""

    size: float
    value: float
    interval: Interval | None
    """At 95 %; None for one run where no other size has repeats."""
    num_runs: int
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A phase of a series and its law."""

    phase: str
    is_hidden: bool
    points: tuple[SeriesPoint, ...]
    fit: Fit
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTrend:
    """How one foreign series moves along its axis, in the unit of the series."""

    series: Series
    points: tuple[SeriesPoint, ...]
    fit: Fit | None
    """Law of the whole; None where the points are too few for any."""
    components: tuple[Component, ...]
    curve: tuple[CurvePoint, ...]
    checks: tuple[Check, ...]
    peers: tuple[PeerForecast, ...]
    """What plain methods say at the end of the curve, in the unit of the series."""
    chained_error: float | None
    """That of our law of the whole beside theirs; None where the sizes are too few."""
    findings: tuple[str, ...]
    """What is wrong or odd with the readings, each by its place; nothing of it is averaged in."""
