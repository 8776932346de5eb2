"""What else wanted the processors of a point while it was measured, as the notes of its record keep it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Pressure(StrEnum):
    """A number that the kernel tells of the measured steps, by the name of its note: the worst rank's."""

    ELAPSED = "pressure_elapsed_ns"
    """From the first measured step to the last."""
    RUN_DELAY = "pressure_run_delay_ns"
    """Time the stepping thread was ready to run without a processor, polling in exchanges included."""
    WORKER_DELAY = "pressure_worker_delay_ns"
    """The same of that thread of the same process that works beside it and waited longest."""
    THROTTLED = "pressure_throttled_ns"
    """Time for which a quota of its control group held threads back, summed over processors."""
    CPU_SOME = "pressure_cpu_some_ns"
    """Time in which some task of the machine was ready to run without a processor (PSI)."""
    IO_SOME = "pressure_io_some_ns"
    """Time in which some task of the machine waited for storage (PSI)."""
    STOLEN = "pressure_stolen_ns"
    """Processor time that the host gave to others, as a mean over the processors of this machine."""
    OTHERS = "pressure_others_ns"
    """Processor time that went to other processes than the ranks, as a mean over the ranks' processors."""
    MAJOR_FAULTS = "pressure_major_faults"
    """Pages of the process that had to come from storage."""
    SWITCHED_OUT = "pressure_switched_out"
    """Times that the stepping thread was taken off its processor against its will."""
    GPU_POWER = "pressure_gpu_power_ns"
    """Time for which the clock of its GPU was held down by the limit of power."""
    GPU_THERMAL = "pressure_gpu_thermal_ns"
    """Time for which the clock of its GPU was held down by heat."""


GREATEST_HELD = 0.05
"""Share of the time for which a quota or the host may hold processors back, where others had none of them."""
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Contention:
    """What of it is known; sources that the machine lacks are absent, never 0."""

    values: Mapping[Pressure, int]

    def share(self, pressure: Pressure) -> float | None:
        """Of the measured time; None where either is absent."""
        elapsed = self.values.get(Pressure.ELAPSED, 0)
        value = self.values.get(pressure)
        return None if value is None or elapsed <= 0 else value / elapsed

    @property
    def is_held(self) -> bool:
        """Whether ranks did without processors that no other process of the machine had."""
        shares = (self.share(kind) for kind in (Pressure.THROTTLED, Pressure.STOLEN))
        return any(share is not None and share >= GREATEST_HELD for share in shares)

    @property
    def absent(self) -> tuple[Pressure, ...]:
        """What the machine does not tell."""
        return tuple(pressure for pressure in Pressure if pressure not in self.values)


NOTHING_KNOWN = Contention(values={})


def contention_notes(values: Mapping[Pressure, int]) -> dict[str, str]:
    """Notes of a record."""
    return {str(pressure): str(value) for pressure, value in values.items()}


def contention_of(notes: Mapping[str, str]) -> Contention:
    """What the notes of a record say; a note that is no number says nothing."""
    known = {pressure: notes.get(pressure, "") for pressure in Pressure}
    return Contention(
        values={
            pressure: int(text)
            for pressure, text in known.items()
            if text.isdecimal() and text.isascii() and len(text) <= _MOST_DIGITS
        }
    )
