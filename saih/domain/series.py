"""A series that others measured: one quantity over growing sizes, with every value as its file tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from saih.domain.interval import Interval

HIDDEN_PHASES = ("input_produce", "communication_total")
"""Phases that may overlap others: they have laws of their own and are not added to the whole."""
ENVIRONMENT = "environment"
"""The fact that says what was measured on: readings that differ in it make series of their own."""
SECONDS_PER_UNIT: Mapping[str, float] = MappingProxyType(
    {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
)
"""Units of time; a value of another unit is shown in that unit."""

LEAST_VALUE, GREATEST_VALUE = 1e-25, 1e25
"""Values beyond these, in the unit of their series, are no measurements: squares of their laws overflow."""


class SeriesKind(StrEnum):
    """What grows along a series."""

    STRONG = "strong"
    """Ranks, over a fixed whole problem."""
    WEAK = "weak"
    """Ranks, each with the same problem."""
    SIZE = "size"
    """The problem, on fixed ranks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One value of a file, usable or not."""

    size: float
    value: float
    """In the unit of its series; NaN where the file has something else than a number."""
    written: str
    """How the file writes the value."""
    place: str
    """Where it stands, such as ``line 7``."""
    spread: Interval | None = None
    """The interval that the file tells for the value itself."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What else the file tells of this reading, such as ``{"environment": "cluster A"}``."""

    @property
    def is_usable(self) -> bool:
        """Whether it is a positive number within bounds."""
        return LEAST_VALUE <= self.value <= GREATEST_VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Readings of one quantity along one axis, the smaller the better; equal sizes are repeats."""

    name: str
    source: str
    """The file that it comes from."""
    axis: str
    size_label: str
    kind: SeriesKind
    unit: str
    whole: tuple[Reading, ...]
    """By growing size; empty where a file tells the phases only."""
    phases: Mapping[str, tuple[Reading, ...]] = field(default_factory=dict)
    """By growing size each; all but ``HIDDEN_PHASES`` sum to the whole."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What holds for the whole series."""
    remarks: tuple[str, ...] = ()
    """What reading the file brought up and a reader of the trend must know."""

    @property
    def sizes(self) -> tuple[float, ...]:
        """The distinct sizes of the whole, growing."""
        return tuple(sorted({reading.size for reading in self.whole}))

    @property
    def values(self) -> tuple[tuple[float, ...], ...]:
        """The values at each of ``sizes``, in the order of the file, unusable ones as they are."""
        return tuple(tuple(one.value for one in self.whole if one.size == size) for size in self.sizes)

    @property
    def is_time(self) -> bool:
        """Whether the unit is one of time."""
        return self.unit in SECONDS_PER_UNIT
