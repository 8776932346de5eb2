"""How fast universes come, and when the last will be there, in words."""

from collections.abc import Callable
from dataclasses import dataclass

ReadClock = Callable[[], int]
"""Gives the present moment [ns]; only differences mean anything."""


def no_clock() -> int:
    """Where nobody measures: time stands."""
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What is known of the speed after a universe."""

    num_particle_steps: int
    """Of this universe: 0 when it was there already."""
    duration_ns: int
    """Of this universe."""
    elapsed_ns: int
    """Since the first was begun."""
    num_done: int
    num_left: int

    @property
    def left_ns(self) -> float:
        """Time until the last is there, if the others take as long as those that are."""
        return self.elapsed_ns / self.num_done * self.num_left

    def __str__(self) -> str:
        """Rate and time left, each where it is known."""
        parts = []
        if self.num_particle_steps and self.duration_ns:
            parts.append(f"{self.num_particle_steps / self.duration_ns * 1e3:.3g} M particle-steps/s")
        if self.num_left and self.elapsed_ns:
            parts.append(f"{_rounded(self.left_ns)} left")
        return ", ".join(parts)


def _rounded(duration_ns: float) -> str:
    seconds = duration_ns / 1e9
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
