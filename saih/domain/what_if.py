"""What-if: what is asked to be otherwise, and how long steps would then take."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from saih.domain.interval import Interval
from saih.domain.verdict import Limit

GREATEST_FACTOR = 8.0
"""How much faster, slower, larger or smaller anything may be asked to be: beyond, laws are no evidence."""


class Part(StrEnum):
    """What of a run can be asked to be faster, or gone."""

    COMPUTE = "compute"
    """Arithmetic: the ceilings of products and convolutions."""
    MEMORY = "memory"
    """The bandwidth of memory."""
    LAUNCH = "launch"
    """Host time for each operation."""
    INTERCONNECT = "interconnect"
    """The transfer of the gradient exchange, not the waiting for other ranks."""
    INPUT = "input"
    """Reading and decoding of batches."""
    IMBALANCE = "imbalance"
    """Ranks that have more to do than others."""
    UNEXPLAINED = "unexplained"
    """Time of operations above what the measured ceilings account for."""


REMOVABLE = frozenset({Part.LAUNCH, Part.INTERCONNECT, Part.INPUT, Part.IMBALANCE, Part.UNEXPLAINED})
"""Parts that a step can do without."""
SCALABLE = frozenset({Part.COMPUTE, Part.MEMORY, Part.LAUNCH, Part.INTERCONNECT, Part.INPUT})
"""Parts that have a speed."""
NEEDS_CEILINGS = frozenset({Part.COMPUTE, Part.MEMORY, Part.LAUNCH, Part.UNEXPLAINED})
"""Parts whose share of an operation is known from ceilings only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alteration:
    """One part of the machine so many times as fast; infinitely fast is removed."""

    part: Part
    speed: float

    def __post_init__(self) -> None:
        if math.isinf(self.speed) and self.speed > 0:
            is_possible = self.part in REMOVABLE
        else:
            in_range = 1 / GREATEST_FACTOR <= self.speed <= GREATEST_FACTOR
            is_possible = in_range and self.part in SCALABLE
        if not is_possible:
            raise ValueError(f"{self.part} cannot be {self.speed} times as fast")

    @property
    def is_removal(self) -> bool:
        """Whether the part goes away."""
        return math.isinf(self.speed)

    def __str__(self) -> str:
        return f"{self.part} removed" if self.is_removal else f"{self.part} x{self.speed:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Points along one axis at another size."""

    axis: str
    factor: float | None = None
    """Times the size of each point; None where rungs are named."""
    start: str = ""
    """How the label of the rung begins that points are at; empty for all points."""
    target: str = ""
    """How the label of the rung begins that is asked for."""

    def __str__(self) -> str:
        if self.factor is not None:
            return f"{self.axis} x{self.factor:g}"
        return f"{self.axis} {self.start}->{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything that is asked to be otherwise at the same time."""

    alterations: tuple[Alteration, ...] = ()
    growth: Growth | None = None

    def __str__(self) -> str:
        parts: list[Alteration | Growth] = [*self.alterations]
        return ", ".join(map(str, [*parts, self.growth] if self.growth else parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One point under a scenario."""

    record_id: str
    labels: Mapping[str, str]
    at: str
    """The size that is foreseen, in words; empty where the point keeps its own."""
    measured_ns: Interval
    """Step as measured."""
    predicted_ns: Interval | None
    """Step as predicted, 90 %; None where ``refusal`` says why not."""
    ratio: Interval | None
    """Predicted over measured step, of the point itself or at the new size."""
    limit: Limit
    """What limits the point as measured."""
    then: Limit | None
    """What limits it then; None where that is not known."""
    refusal: str = ""
    is_extrapolated: bool = False
    """Whether the size lies beyond the largest measured one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A scenario at every measured point."""

    sweep_name: str
    scenario: Scenario
    forecasts: tuple[Forecast, ...]
    verified: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What interventions showed, by record: sentences of verdicts put to the test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What one change alone is predicted to save at one point."""

    record_id: str
    alteration: Alteration
    share: Interval
    """Of the step, 90 %; not below 0."""
