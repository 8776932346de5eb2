"""Energy: what counters of the hardware saw during the measured steps of a point. Never an estimate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from saih.domain.interval import Interval

NOT_READ = "the record is from a version that did not read energy counters"
LEAST_JOULES, MOST_JOULES = 1e-6, 1e15
"""Counters tell no less than a microjoule; the most powerful machine takes a year for the most."""
MOST_STEPS = 10**12


class EnergyPart(StrEnum):
    """What a counter is of. The first three are added up; the last holds the others and is kept beside."""

    PACKAGES = "packages"
    MEMORY = "memory"
    GPUS = "gpus"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedEnergy:
    """What the counters of all nodes saw from the first measured step to the last, as a record keeps it."""

    joules_of: Mapping[EnergyPart, float]
    """Each part that was counted on every node."""
    source: str
    """``rapl``, ``nvml_counter``, or ``nvml_counter+rapl``."""
    coverage: str
    """What is counted, of how many nodes and GPUs, and what is not, in words."""
    block_joules: tuple[float, ...]
    """The same energy without the platform's, of one run of contiguous steps after the other."""
    block_steps: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = (*self.joules_of.values(), *self.block_joules)
        if not all(0 <= number <= MOST_JOULES for number in numbers):  # false for NaN, too
            raise ValueError(f"energies of {dict(self.joules_of)} J are impossible")
        if not LEAST_JOULES <= self.joules <= MOST_JOULES:
            raise ValueError(f"{self.joules:g} J in all are impossible")
        if len(self.block_joules) != len(self.block_steps):
            raise ValueError(f"{len(self.block_joules)} energies are of {len(self.block_steps)} blocks")
        if not all(1 <= steps <= MOST_STEPS for steps in self.block_steps):
            raise ValueError("a block has an impossible number of steps")
        if not math.isclose(sum(self.block_joules), self.joules, rel_tol=1e-6):
            raise ValueError(f"blocks of {sum(self.block_joules):g} J do not add up to {self.joules:g} J")

    @property
    def joules(self) -> float:
        """All that was counted once; the platform's counter holds the packages and is left out."""
        return sum(value for part, value in self.joules_of.items() if part is not EnergyPart.PLATFORM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """The counted energy of a point, and what it means for one sample."""

    joules: float
    """Of all measured steps together."""
    num_samples: int
    """Samples of all ranks in those steps."""
    num_blocks: int
    """Runs of contiguous steps that were read by themselves."""
    joules_per_sample: Interval | None
    """Median over blocks; None for fewer blocks than can enclose their median."""
    joules_of: Mapping[EnergyPart, float]
    source: str
    coverage: str

    @property
    def mean_joules_per_sample(self) -> float:
        """All joules over all samples: the value where there is no interval."""
        return self.joules / self.num_samples

    @property
    def best_joules_per_sample(self) -> float:
        """The value of the interval where there is one, else the mean."""
        return self.mean_joules_per_sample if self.joules_per_sample is None else self.joules_per_sample.value

    @property
    def parts(self) -> tuple[EnergyPart, ...]:
        """What is added up; energies of different parts cannot be compared."""
        return tuple(
            part for part in EnergyPart if part in self.joules_of and part is not EnergyPart.PLATFORM
        )


def energy_notes(found: CountedEnergy | str) -> dict[str, str]:
    """Notes of a record: the counted energy, or the reason why there is none."""
    if isinstance(found, str):
        return {"energy_reason": found}
    return {
        "energy_joules": repr(found.joules),
        "energy_source": found.source,
        "energy_coverage": found.coverage,
        "energy_block_joules": " ".join(map(repr, found.block_joules)),
        "energy_block_steps": " ".join(map(str, found.block_steps)),
        **{f"energy_joules_{part}": repr(joules) for part, joules in found.joules_of.items()},
    }


def counted_energy(notes: Mapping[str, str]) -> CountedEnergy | str:
    """What the notes of a record say of its energy; the reason in words where they say of none.

    Notes that contradict themselves give a reason too, never a number.
    """
    if "energy_joules" not in notes:
        return notes.get("energy_reason") or NOT_READ
    try:
        found = CountedEnergy(
            joules_of={
                part: float(notes[f"energy_joules_{part}"])
                for part in EnergyPart
                if f"energy_joules_{part}" in notes
            },
            source=notes["energy_source"],
            coverage=notes["energy_coverage"],
            block_joules=tuple(map(float, notes["energy_block_joules"].split())),
            block_steps=tuple(map(int, notes["energy_block_steps"].split())),
        )
        if not math.isclose(float(notes["energy_joules"]), found.joules, rel_tol=1e-6):
            raise ValueError(f"the sum is {found.joules:g} J")  # noqa: TRY301 - one way out for all of them
    except (KeyError, ValueError) as error:
        return f"what the record says of its energy contradicts itself ({type(error).__name__}: {error})"
    return found
