"""A counter of energy: one running total that the hardware keeps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from saih.domain.energy import EnergyPart

MOST_WATTS = {
    EnergyPart.PACKAGES: 1e3,
    EnergyPart.MEMORY: 1e3,
    EnergyPart.GPUS: 1e4,
    EnergyPart.PLATFORM: 1e4,
}
"""No single one draws more: the hungriest CPUs are specified at half of that, nodes with GPUs at 10 kW."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A total that grows while the hardware works."""

    part: EnergyPart
    name: str
    """As a reader of a message knows it, such as ``package-0``."""
    read_uj: Callable[[], int]
    """The total [uJ]; raises OSError or ValueError where it cannot be read any more."""
    range_uj: int | None
    """The total begins again from 0 after this much; None for never."""
    shortest_s: float
    """The total moves in jumps; over less than this they would be too much of what is read."""

    @property
    def longest_s(self) -> float | None:
        """Between readings as close as this the total begins again at most once; None for any time."""
        return None if self.range_uj is None else self.range_uj / 1e6 / MOST_WATTS[self.part]

    def advance_uj(self, earlier_uj: int, later_uj: int) -> int:
        """By how much the total grew [uJ] between two readings no further apart than ``longest_s``.

        Raises:
            ValueError: for a total outside its range, or one that shrinks and never begins again.
        """
        if self.range_uj is None:
            if later_uj < earlier_uj:
                raise ValueError(f"the counter {self.name} went back from {earlier_uj} to {later_uj} uJ")
            return later_uj - earlier_uj
        if not 0 <= earlier_uj <= self.range_uj or not 0 <= later_uj <= self.range_uj:
            raise ValueError(f"the counter {self.name} left its range of {self.range_uj} uJ")
        return (later_uj - earlier_uj) % self.range_uj


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What can be read here, and why other parts cannot."""

    counters: tuple[Counter, ...]
    reasons: Mapping[EnergyPart, str]

    def and_also(self, others: "Counters") -> "Counters":
        """Both together."""
        return Counters(
            counters=(*self.counters, *others.counters), reasons={**self.reasons, **others.reasons}
        )

    def has(self, part: EnergyPart) -> bool:
        """Whether this part can be read."""
        return any(counter.part is part for counter in self.counters)


NONE = Counters(counters=(), reasons={})
